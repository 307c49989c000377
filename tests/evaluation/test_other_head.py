"""Another head model fitted beside the default one."""

from __future__ import annotations

from pathlib import Path

import pytest

import lifemask
from lifemask import InputError
from needs import require

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"


@pytest.mark.needs("landmarker")
def test_ict_is_fitted_beside_the_default_head(tmp_path):
    found = lifemask.evaluate(PORTRAIT, tmp_path, head="ict", head_path=require("ict"))
    names = [one.name for one in found.measurements]
    assert names == ["portrait.jpg", "portrait.jpg, ict-facekit"]
    default, ict = found.measurements
    assert ict.error.median != default.error.median
    assert ict.error.median < 1.3
    pictures = {path.name for path in tmp_path.glob("*.jpg")}
    assert "portrait-00000-mesh.jpg" in pictures
    assert "portrait-ict-facekit-00000-mesh.jpg" in pictures


def test_a_head_without_its_file_is_refused_before_anything_is_done(tmp_path):
    with pytest.raises(InputError, match="not part of lifemask"):
        lifemask.evaluate(PORTRAIT, tmp_path / "out", head="ict")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="no head model"):
        lifemask.evaluate(PORTRAIT, tmp_path / "out", head="smpl")
