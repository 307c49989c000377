from __future__ import annotations

import json

import numpy as np
import pytest

import lifemask
from lifemask.avatar import Avatar, render
from lifemask.cli._app import run
from lifemask.geometry import open_video, read_image
from synthetic import make_head, make_textures


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "ada.lifemask"
    Avatar("Ada", make_head(), make_textures()).save(path, glb=False)
    return path


def test_sheet_of_views(package, tmp_path):
    report = lifemask.render(package, tmp_path / "sheet.png", size=64)
    image = read_image(report.path)
    assert (report.width, report.height) == image.shape[1::-1]
    assert report.frames == 1
    assert report.consent == "consent unset"
    assert image.shape[1] > 4 * 64


def test_one_view_with_an_expression(package, tmp_path):
    neutral, opened = (
        read_image(render(package, tmp_path / "a.png", size=96, yaw=0.2, expression=e).path)
        for e in ({}, {"jawOpen": 1.0})
    )
    assert neutral.shape == (96, 96, 3)
    assert np.abs(neutral.astype(int) - opened).max() > 40


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_video_of_a_turn(package, tmp_path, suffix):
    stages = []
    report = render(
        package, tmp_path / f"turn{suffix}", size=64, seconds=0.5, rate_hz=20,
        progress=lambda *stage: stages.append(stage),
    )  # fmt: skip
    video = open_video(report.path)
    frames = list(video)
    assert report.frames == len(frames) == 10
    assert (video.width, video.height, video.rate_hz) == (64, 64, 20.0)
    assert stages[-1] == ("draw the turn", 1.0)
    # The back of the head shows no eyes: it differs from the front.
    assert np.abs(frames[0].image.astype(int) - frames[5].image).mean() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 8}, "a view of 8 pixels"),
        ({"size": 100_000}, "a view of"),
        ({"expression": {"jawOpn": 1.0}}, "no expression 'jawOpn'"),
        ({"expression": {"jawOpen": 2.0}}, "jawOpen is 2.0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(package, tmp_path, options, message):
    with pytest.raises(lifemask.InputError, match=message) as caught:
        render(package, tmp_path / "a.png", **options)
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_bad_outputs(package, tmp_path):
    with pytest.raises(lifemask.InputError, match="a video of"):
        render(package, tmp_path / "a.mp4", seconds=0)
    with pytest.raises(lifemask.ImageError, match="no picture format"):
        render(package, tmp_path / "a.xyz", size=32)
    with pytest.raises(lifemask.PackageError):
        render(tmp_path / "absent.lifemask", tmp_path / "a.png")


def test_command_line(package, tmp_path, capsys):
    out = tmp_path / "a.png"
    words = ["render", str(package), "-o", str(out), "--size", "48", "--yaw", "30"]
    assert run([*words, "-e", "jawOpen=0.5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {
        "path": str(out), "width": 48, "height": 48, "frames": 1, "consent": "consent unset",
    }  # fmt: skip
    assert out.exists()
    assert run([*words, "-e", "jawOpen"]) == 2
    assert "NAME=VALUE" in capsys.readouterr().err
    assert run([*words, "-e", "jawOpn=1"]) == 3
    assert "Did you mean jawOpen" in capsys.readouterr().err
