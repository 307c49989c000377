"""Baselines, light and the whole evaluation on clips with known content."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import lifemask
from landmark_samples import WIDTH, Truth, coefficients, landmark_model, make_pose, see
from lifemask import InputError
from lifemask.appearance import ClipLight, Lit, fit_clip_light
from lifemask.evaluation._evaluate import _folder_names
from lifemask.evaluation._footage import Footage
from lifemask.evaluation._identity import similarity
from lifemask.evaluation._masks import clip_masks
from lifemask.evaluation._methods import Copy, MeanFrame
from lifemask.evaluation._people import rank_one
from lifemask.evaluation._picture_metrics import psnr
from lifemask.evaluation._report import report_page
from lifemask.evaluation._session import Evaluated
from lifemask.evaluation._splits import make_split
from lifemask.evaluation._states import stream, tracked_states
from lifemask.evaluation._targets import TARGETS, judge
from lifemask.evaluation._temporal import best_lag, moving_mean, still_runs, weight_jerk
from lifemask.geometry import Camera, VideoWriter, read_image, write_image
from lifemask.heads import load_head_model
from lifemask.tracking import FaceLandmarks
from needs import require

COUNT = 90


def moving_clip():
    """A textured picture that follows a face along a slow curve."""
    import cv2

    modes = len(landmark_model().identity)
    camera = Camera(WIDTH, 720, 1.8 * WIDTH)
    calm = see(Truth(np.zeros(modes), coefficients(), np.zeros(4), make_pose(), camera))
    small = calm.points / 3
    texture = cv2.resize(
        np.random.default_rng(0).integers(0, 255, (60, 80, 3)).astype(np.uint8), (320, 240)
    )
    faces, pictures = [], []
    for i in range(COUNT):
        shift = np.array([12 * np.sin(i / 12), 6 * np.cos(i / 9), 0.0], np.float32)
        faces.append(FaceLandmarks(small + shift, 320, 240))
        matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
        pictures.append(cv2.warpAffine(texture, matrix, (320, 240), borderMode=cv2.BORDER_REFLECT))
    masks = clip_masks(faces)
    times = np.arange(COUNT) / 30
    return Footage(
        Path("moving.mp4"), 30.0, times, faces, masks, (0, 0, 320, 240), np.stack(pictures)
    )


def test_copy_beats_the_mean_of_a_moving_clip():
    clip = moving_clip()
    split = make_split("blocks", COUNT)
    scores = {}
    for method in (MeanFrame(clip, split), Copy(clip, split)):
        pictures = [(method.frame(i), i) for i in split.test]
        scores[method.name] = np.mean(
            [psnr(p, clip.pictures[i], clip.masks.region(i, "face")) for p, i in pictures]
        )
    assert scores["copy"] > scores["mean frame"] + 10
    assert scores["copy"] > 30, "the same picture, moved, is nearly the same again"


def test_light_and_drift_are_found_again():
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(4000, 3)) * [0.5, 0.5, 0.3] + [0, 0, 1]
    normals = (normals / np.linalg.norm(normals, axis=1, keepdims=True)).astype(np.float32)
    albedo = rng.uniform(0.2, 0.6, (4000, 3)).astype(np.float32)
    shade = (0.5 + 0.4 * normals[:, 2] + 0.25 * normals[:, 0])[:, None]
    gains = {3: 0.9, 7: 1.0, 11: 1.1}
    seen = {i: (albedo * shade * gain).astype(np.float32) for i, gain in gains.items()}
    for one in seen.values():
        one[:300] = 0.9  # a highlight that no albedo explains
    light = fit_clip_light(list(gains), [Lit(seen[i], albedo, normals) for i in gains])
    assert light.gains == pytest.approx(list(gains.values()), rel=0.02)
    picture = np.full((1, 2, 3), 128, np.uint8)
    toward, aside = light.apply(picture, np.array([[[0, 0, 1], [0.6, 0, 0.8]]], np.float32))[0]
    ratio = (0.5 + 0.32 + 0.15) / 0.9
    assert np.power(aside / toward, 2.2) == pytest.approx(ratio, rel=0.04)


def test_gain_comes_from_the_frames_around():
    light = ClipLight(np.zeros((9, 3)), tuple(range(20)), tuple(np.linspace(1, 2, 20)))
    assert light.gain(10) == pytest.approx(np.mean(light.gains[4:16]))
    assert light.gain(500) == pytest.approx(np.mean(light.gains[14:]))


def test_states_put_the_head_where_the_face_is():
    """Both ways of driving end within a percent of the landmarks they were driven by."""
    identity = np.random.default_rng(3).standard_normal(len(landmark_model().identity)) * 0.4
    camera = Camera(WIDTH, 720, 1.8 * WIDTH)
    faces = []
    for i in range(COUNT):
        jaw = coefficients(jawOpen=0.3 + 0.3 * np.sin(i / 7))
        pose = make_pose((0.0, 0.2 * np.sin(i / 11), 0.0))
        faces.append(see(Truth(identity, jaw, np.zeros(4), pose, camera)))
    box = (100, 50, 860, 700)
    clip = Footage(
        Path("a.mp4"), 30.0, np.arange(COUNT) / 30, faces, clip_masks(faces), box,
        np.zeros((COUNT, 1, 1, 3), np.uint8),
    )  # fmt: skip
    head = load_head_model().head(identity)
    bigger = replace(
        head,
        neutral=1.2 * head.neutral,
        expression_deltas=1.2 * head.expression_deltas,
        joints=1.2 * head.joints,
    )
    tracked = tracked_states(clip, head, camera.focal)
    driven = stream(clip, make_split("last", COUNT)).states(bigger)
    for states, shape, limit in ((tracked, head, 1.0), (driven, bigger, 2.0)):
        state = states.frames[85]
        points = shape.landmarks(shape.vertices(state.coefficients)).astype(np.float64)
        pixels = clip.camera(states.camera).project(state.pose.apply(points))
        error = np.linalg.norm(pixels - clip.pixels(85), axis=1)[:468].mean()
        assert 100 * error / clip.unit(85) < limit


def test_still_runs_and_lags():
    values = np.zeros((60, 1))
    values[30:] = 1.0
    assert moving_mean(values)[20, 0] == 0 and moving_mean(values)[29, 0] == pytest.approx(4 / 9)
    wave = np.sin(np.arange(80) / 5)
    assert best_lag(np.roll(wave, 3)[5:75], wave[5:75]) == (pytest.approx(1.0), 3)
    assert weight_jerk(np.tile(np.arange(30)[:, None] / 30, 52)) == pytest.approx(0.0, abs=1e-12)
    clip = moving_clip()
    assert still_runs(clip) == [], "it never stands"
    frozen = replace(clip, faces=[clip.faces[0]] * COUNT)
    assert [len(run) for run in still_runs(frozen)] == [COUNT - 1]


def test_rank_one_counts_faces_that_are_not_found():
    def person(place, renders):
        return Evaluated({}, [np.eye(128)[place]], renders)

    people = {
        "a": person(0, [np.eye(128)[0], None]),
        "b": person(1, [0.6 * np.eye(128)[0] + 0.4 * np.eye(128)[1]]),
    }
    found = rank_one(people)
    assert found["rank_one_percent"] == pytest.approx(100 / 3, abs=0.01)
    assert [row["right"] for row in found["rows"]] == [1, 0]
    assert found["rows"][1]["taken_for"] == ["a"]
    assert rank_one({"a": people["a"]}) is None


def test_targets_are_judged_by_the_worst():
    def clip(name, median):
        fit = {"error": {"median": median}}
        return {"name": name, "status": "evaluated", "kind": "video", "fit": fit, "splits": {}}

    document = {"inputs": [clip("a", 0.8), clip("b", 1.2)], "people": None}
    (row,) = judge(document)
    assert row["value"] == 1.2 and row["verdict"] == "must" and row["found"][0] == ["a", 0.8]
    document["inputs"].append({"name": "c", "status": "not evaluated"})
    document["inputs"].append(clip("d", 1.31))
    assert judge(document)[0]["verdict"] == "missed"
    assert len({target.name for target in TARGETS}) == len(TARGETS)


def test_inputs_of_one_name_have_folders_of_their_own():
    paths = [Path("a/x.mp4"), Path("b/X.mp4"), Path("c/x.jpg")]
    assert _folder_names(paths) == ["x", "X-2", "x-3"]


def test_similarity_is_exact_for_two_points():
    matrix = similarity(np.array([[0.0, 0], [1, 0]]), np.array([[1.0, 1], [1, 3]]))
    assert matrix @ [1, 0, 1] == pytest.approx([1, 3])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A clip of a portrait that is moved and blinks not at all, a photo, and a broken file."""
    require("landmarker")
    folder = tmp_path_factory.mktemp("held_out")
    source = resources.files("lifemask") / "data" / "portrait.jpg"
    (folder / "portrait.jpg").write_bytes(source.read_bytes())
    picture = read_image(folder / "portrait.jpg")[::3, ::3]
    height, width = (side // 2 * 2 for side in picture.shape[:2])
    with VideoWriter(folder / "clip.mp4", width, height, 25.0) as writer:
        for i in range(74):
            shift = round(3 * np.sin(i / 6))
            writer.write(np.roll(picture[:height, :width], shift, axis=1))
    with VideoWriter(folder / "short.mp4", width, height, 25.0) as writer:
        for _ in range(12):
            writer.write(picture[:height, :width])
    write_image(folder / "grey.png", np.full((300, 300, 3), 127, np.uint8))
    stages = []
    inputs = [folder / name for name in ("clip.mp4", "short.mp4", "grey.png", "portrait.jpg")]
    found = lifemask.evaluate(
        inputs, folder / "out", split="last", progress=lambda stage, share: stages.append(stage)
    )
    return found, stages, folder / "out"


@pytest.mark.slow
class TestWhole:
    def test_every_input_has_its_row(self, report):
        found, stages, _ = report
        clip, short, grey, photo = found.document["inputs"]
        assert [one["status"] for one in (clip, photo)] == ["evaluated"] * 2
        assert "12 frames" in short["reason"] and "--fit-only" in short["hint"]
        assert grey["status"] == "not evaluated" and "no face" in grey["reason"]
        assert len(found.measurements) == 2
        assert any("static texture driven" in stage for stage in stages)

    def test_rows_and_numbers(self, report):
        clip = report[0].document["inputs"][0]
        split = clip["splits"]["last"]
        rows = {(r["method"], r["mode"], r["exposure_gain"]): r for r in split["rows"]}
        static = rows["static texture", "tracked", False]
        assert rows["copy", None, False]["psnr"] > static["psnr"] > 20
        assert static["landmarks_all"] < 5 and static["missing"] == 0
        assert rows["one photo, static texture", "driven", False]["frames"] == split["test"]
        assert split["train"] == 49 and split["test"] == 15
        assert len(clip["mask"]["sha256"]) == 64

    def test_document_is_json_and_the_page_stands_alone(self, report):
        found, _, folder = report
        document = json.loads(found.json_path.read_text(encoding="utf-8"))
        assert document == json.loads(json.dumps(found.document))
        assert document["format"] == "lifemask-evaluation" and document["version"] == 1
        page = found.html_path.read_text(encoding="utf-8")
        assert "src='data:image/jpeg;base64," in page and "<script" not in page
        assert "no face" in page and clip_hash(document) in page
        pictures = [p for one in document["inputs"] for p in one.get("pictures", [])]
        assert pictures and all((folder / p["path"]).is_file() for p in pictures)

    def test_avatars_keep_their_numbers(self, report):
        found, _, folder = report
        clip = found.document["inputs"][0]
        avatar = lifemask.Avatar.load(folder / clip["splits"]["last"]["package"])
        metrics = avatar.manifest.metrics
        assert metrics["evaluation_mask_sha256"] == clip["mask"]["sha256"]
        assert metrics["evaluation_split"] == "last"
        assert metrics["evaluation_driven_psnr"] > 20

    def test_names_are_escaped(self, report):
        found, _, folder = report
        document = json.loads(json.dumps(found.document))
        document["inputs"][0]["name"] = document["inputs"][1]["reason"] = "<b>&'"
        page = report_page(document, folder)
        assert "<b>&" not in page and "&lt;b&gt;&amp;&#x27;" in page


def clip_hash(document):
    return document["inputs"][0]["mask"]["sha256"]


def test_nothing_to_evaluate(tmp_path):
    with pytest.raises(InputError):
        lifemask.evaluate([], tmp_path)
    with pytest.raises(InputError, match="no split"):
        lifemask.evaluate(["x.jpg"], tmp_path, split="half")
