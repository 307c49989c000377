"""What is wrong with the arguments of a build is said before its long work begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lifemask
from lifemask.avatar import _build_checks
from lifemask.geometry import write_image

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"


@pytest.fixture
def photo(tmp_path):
    write_image(tmp_path / "me.png", np.zeros((8, 8, 3), np.uint8))
    return tmp_path / "me.png"


def stages():
    seen = []
    return seen, lambda stage, fraction: seen.append(stage)


@pytest.mark.parametrize("size", [0, -2048, 1000, 128, 16384])
def test_texture_sizes_that_are_not_offered(photo, size):
    seen, progress = stages()
    with pytest.raises(lifemask.InputError, match=f"texture of {size}") as caught:
        lifemask.build(photo, texture_size=size, progress=progress)
    assert "2048" in caught.value.hint
    assert seen == []


def test_folder_that_is_not_there(photo, tmp_path):
    seen, progress = stages()
    with pytest.raises(lifemask.ExportError, match="does not exist"):
        lifemask.build(photo, tmp_path / "nowhere" / "me.lifemask", progress=progress)
    assert seen == []


def test_terms_name_the_demo_portrait_only_where_it_was_used(photo, tmp_path):
    names = [item.name for item in _build_checks.used_terms([photo])]
    assert "Demo portrait" not in names
    assert {item.kind for item in _build_checks.used_terms([photo])} == {"data", "weights"}

    copy = tmp_path / "copy.jpg"
    copy.write_bytes(PORTRAIT.read_bytes())
    assert [item.name for item in _build_checks.used_terms([photo, copy])].count(
        "Demo portrait"
    ) == 1
