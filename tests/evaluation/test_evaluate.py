"""What the evaluation measures, writes and refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

import lifemask
from landmark_samples import (
    HEIGHT,
    WIDTH,
    Truth,
    coefficients,
    landmark_model,
    make_pose,
    see,
)
from lifemask import ImageError, NoFaceError, SeveralFacesError
from lifemask.cli._app import run
from lifemask.evaluation._fit_report import report_page
from lifemask.evaluation._measure import fit_frames, fit_picture, measure
from lifemask.evaluation._overlay import landmark_overlay
from lifemask.geometry import Camera, VideoWriter, read_image, write_image
from lifemask.tracking import REGIONS, FaceLandmarks
from needs import require


@pytest.fixture(scope="module")
def truths():
    modes = len(landmark_model().identity)
    identity = np.random.default_rng(2).standard_normal(modes) * 0.6
    calm = Truth(
        identity,
        coefficients(),
        np.zeros(4),
        make_pose(),
        Camera(WIDTH, HEIGHT, 1.8 * WIDTH),
    )
    return [
        replace(
            calm,
            coefficients=coefficients(jawOpen=0.5 + 0.5 * np.sin(i / 2)),
            pose=make_pose((0.0, 0.3 * np.sin(i / 5), 0.0)),
        )
        for i in range(24)
    ]


@pytest.fixture(scope="module")
def portrait_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("portrait") / "portrait.jpg"
    path.write_bytes((resources.files("lifemask") / "data" / "portrait.jpg").read_bytes())
    return path


def shifted(face: FaceLandmarks, region: str, pixels: float) -> FaceLandmarks:
    points = face.points.copy()
    points[REGIONS[region][::2], 1] += pixels
    points[REGIONS[region][1::2], 1] -= pixels
    return replace(face, points=points)


def test_noise_is_what_is_measured(truths):
    """Landmarks off by one pixel cost one pixel, and what the priors keep from being fitted."""
    faces = [see(truth, 0.8, seed=i) for i, truth in enumerate(truths)]
    one = measure("clip", "video", fit_frames(faces), {})
    unit = 1.8 * WIDTH * 0.085 / 0.72
    expected = 100 * 0.8 * np.sqrt(np.pi / 2) / unit
    assert 0.75 * expected < one.error.median < 1.75 * expected
    assert one.error.median <= one.error.percentile_90 <= one.error.largest
    assert one.passed and one.frames == 24 and one.lost == 0
    assert one.agreement == {}, "these landmarks carry no scores to compare with"


def test_regions_tell_where_the_error_is(truths):
    calm = see(truths[0])
    good = measure("photo", "photo", fit_picture(calm), {})
    bad = measure("photo", "photo", fit_picture(shifted(calm, "brows", 12.0)), {})
    assert good.bias is None
    assert bad.regions["brows"].median > 2.0 + good.regions["brows"].median
    others = [name for name in REGIONS if name != "brows"]
    assert all(bad.regions[n].median < 0.5 * bad.regions["brows"].median for n in others)


def test_constant_error_is_told_from_noise(truths):
    noisy = [see(truth, 1.5, seed=i) for i, truth in enumerate(truths)]
    wrong = [shifted(see(truth), "contour", 8.0) for truth in truths]
    noise, bias = (measure("clip", "video", fit_frames(faces), {}) for faces in (noisy, wrong))
    assert noise.bias < 0.5 * noise.error.median
    assert bias.bias > 0.7 * bias.error.median


def test_limit_is_kept_or_not(truths):
    faces = [see(truth, 5.0, seed=i) for i, truth in enumerate(truths)]
    one = measure("clip", "video", fit_frames(faces), {})
    assert not one.passed
    assert "class='bad'" in report_page([one], {}, {})


def test_lost_frames_are_counted(truths):
    faces = [see(truth) for truth in truths]
    fitted = fit_frames([*faces[:5], None, *faces[5:], None])
    one = measure("clip", "video", fitted, {})
    assert (one.frames, one.lost) == (26, 2)
    assert len(fitted.errors()) == 24


def test_agreement_reads_scores_by_name(truths):
    faces = [
        replace(see(t, 0.3, i), scores={"jawOpen": float(t.coefficients[17]), "jawLeft": 0.0})
        for i, t in enumerate(truths)
    ]
    one = measure("clip", "video", fit_frames(faces), {})
    assert set(one.agreement) == {"jawOpen"}
    assert one.agreement["jawOpen"] > 0.98


def test_report_escapes_names(truths):
    one = measure("<b>&.png", "photo", fit_picture(see(truths[0])), {})
    page = report_page([one], {"<b>&.png": [("a'b.jpg", "<i>")]}, {})
    assert "<b>&" not in page and "&lt;b&gt;&amp;.png" in page
    assert "src='a&#x27;b.jpg'" in page and "<i>" not in page


def test_overlay_marks_both_points():
    image = np.full((200, 300, 3), 127, np.uint8)
    seen = np.stack(np.meshgrid(np.linspace(100, 180, 20), np.linspace(60, 140, 20)), -1)
    seen = seen.reshape(-1, 2)
    picture = landmark_overlay(image, seen, seen + np.array([3.0, 0.0]))
    assert max(picture.shape) == 1000
    green = (picture[..., 1] > 180) & (picture[..., 0] < 100)
    red = (picture[..., 0] > 180) & (picture[..., 1] < 100)
    assert green.sum() > 1000 and red.sum() > 1000


class TestFiles:
    @pytest.fixture(autouse=True)
    def needs_landmarker(self):
        require("landmarker")

    def test_photo_report(self, portrait_path, tmp_path):
        found = lifemask.evaluate(portrait_path, tmp_path / "report", fit_only=True)
        assert found.passed
        one = found.measurements[0]
        assert one.kind == "photo" and one.error.median < 0.9
        document = json.loads(found.json_path.read_text(encoding="utf-8"))
        assert document == json.loads(json.dumps(found.to_dict()))
        page = found.html_path.read_text(encoding="utf-8")
        pictures = sorted(path.name for path in found.html_path.parent.glob("*.jpg"))
        assert pictures == ["portrait-00000-landmarks.jpg", "portrait-00000-mesh.jpg"]
        assert all(name in page for name in pictures)

    def test_video_report(self, portrait_path, tmp_path):
        portrait = read_image(portrait_path)[::2, ::2]
        path = tmp_path / "clip.mp4"
        with VideoWriter(path, 512, 512, 25.0) as writer:
            for index in range(12):
                writer.write(np.roll(portrait, 2 * index, axis=1))
        stages = []
        found = lifemask.evaluate(
            path,
            tmp_path / "report",
            fit_only=True,
            progress=lambda stage, part: stages.append((stage, part)),
        )
        one = found.measurements[0]
        assert (one.kind, one.frames, one.lost) == ("video", 12, 0)
        assert one.error.median < 1.0
        assert "<polyline" in found.html_path.read_text(encoding="utf-8")
        assert {stage for stage, _ in stages} == {"landmarks of clip.mp4", "fit clip.mp4"}
        assert all(0.0 <= part <= 1.0 for _, part in stages)

    def test_command_line(self, portrait_path, tmp_path, capsys):
        arguments = ["evaluate", str(portrait_path), "-o", str(tmp_path / "out")]
        arguments += ["--fit-only", "--json"]
        assert run(arguments) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["passed"] is True
        assert document["inputs"][0]["error"]["median"] < 1.3
        assert document["report"].endswith("report.html")

    def test_command_line_names_a_wrong_choice(self, portrait_path, tmp_path, capsys):
        arguments = ["evaluate", str(portrait_path), "-o", str(tmp_path), "--face", "middle"]
        assert run(arguments) == 2
        assert "middle" in capsys.readouterr().err

    def test_neither_photo_nor_video(self, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("no picture", encoding="utf-8")
        with pytest.raises(ImageError) as caught:
            lifemask.evaluate(path, tmp_path / "report", fit_only=True)
        assert caught.value.hint
        assert not (tmp_path / "report" / "report.json").exists()

    def test_faceless_and_crowded_photos(self, portrait_path, tmp_path):
        write_image(tmp_path / "grey.png", np.full((300, 300, 3), 127, np.uint8))
        with pytest.raises(NoFaceError):
            lifemask.evaluate(tmp_path / "grey.png", tmp_path / "report", fit_only=True)
        portrait = read_image(portrait_path)
        write_image(tmp_path / "two.png", np.concatenate([portrait, portrait], axis=1))
        with pytest.raises(SeveralFacesError):
            lifemask.evaluate(tmp_path / "two.png", tmp_path / "report", fit_only=True)
        found = lifemask.evaluate(
            tmp_path / "two.png", tmp_path / "report", fit_only=True, face="left"
        )
        assert found.passed
