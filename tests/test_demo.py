"""The whole way: portrait, package, glTF, stream, video."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

import lifemask
import lifemask.tracking._models
from lifemask import _demo
from lifemask.cli import _app
from lifemask.geometry import open_video, read_image


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **_):
        raise AssertionError(f"the demo must not fetch anything: {arguments}")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(lifemask.tracking._models, "_fetch", refuse)


@pytest.mark.slow
@pytest.mark.needs("landmarker")
def test_demo_ends_with_everything_it_promises(tmp_path, capsys, no_network):
    folder = tmp_path / "new" / "folder"
    assert _app.run(["demo", "-o", str(folder), "--seconds", "3.5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)

    assert {Path(result[key]).parent for key in ("package", "glb", "turntable", "video")} == {
        folder
    }
    assert Path(result["glb"]).name == "avatar.glb"
    assert lifemask.info(result["package"]).manifest.name == "demo"
    assert Path(result["glb"]).read_bytes()[:4] == b"glTF"
    height, width, _ = read_image(Path(result["turntable"])).shape
    assert min(height, width) >= 512

    stream = result["stream"]
    assert stream["end"] == "source_ended"
    # A busy machine may drop some of the 105, which the slot for each listener allows.
    assert 50 <= stream["frames"] <= stream["frames"] + stream["dropped"] <= 105
    assert stream["consent"] == "consent unset"
    video = open_video(Path(result["video"]))
    assert sum(1 for _ in video) / video.rate_hz >= 3.0


def test_portrait_is_small_and_square():
    assert _demo.PORTRAIT.stat().st_size <= 300_000
    assert read_image(_demo.PORTRAIT).shape == (1024, 1024, 3)


def test_folder_that_cannot_be_made_is_explained(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    assert _app.run(["demo", "-o", str(tmp_path / "file" / "out")]) == 1
    assert "error: the folder" in capsys.readouterr().err


def test_photo_that_is_not_there_is_explained(tmp_path, capsys):
    words = ["demo", "-o", str(tmp_path), "--photo", str(tmp_path / "no.jpg")]
    assert _app.run(words) == 3
    assert not list(tmp_path.glob("*.lifemask"))
