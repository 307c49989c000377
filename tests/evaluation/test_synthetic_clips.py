"""The generator of people who do not exist: repeatable, and its truth is what is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from lifemask.evaluation.synthetic import (
    CLEAN,
    Sensor,
    clip_a,
    clip_b,
    still_clip,
    synthetic_person,
    synthetic_portrait,
    waving_clip,
)
from lifemask.geometry import matrix_axis_angle, open_video, read_image
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, load_head_model
from needs import SHARED

SMALL = (90, 160)


@pytest.fixture(scope="module")
def person():
    return synthetic_person(5, texture_size=256)


def yaws(clip) -> np.ndarray:
    forward = clip.truth.rotations[:, :, 2]
    return np.degrees(np.arctan2(forward[:, 0], forward[:, 2]))


def test_same_seed_gives_the_same_person_and_another_seed_another(person):
    again, other = (synthetic_person(seed, texture_size=256) for seed in (5, 6))
    assert np.array_equal(person.head.neutral, again.head.neutral)
    assert np.array_equal(person.textures["albedo"], again.textures["albedo"])
    assert np.abs(person.head.neutral - other.head.neutral).max() > 0.002


def test_person_has_more_than_the_model_can_say(person):
    modelled = load_head_model().head(person.identity).neutral
    lids = person.head.topology.masks["eyelids"] > 0.5
    # People are drawn with an eye distance of their own.
    size = np.sum(person.head.neutral[lids] * modelled[lids]) / np.sum(modelled[lids] ** 2)
    away = np.linalg.norm(person.head.neutral - size * modelled, axis=1)
    assert 0.0002 < np.sqrt(np.mean(away**2)) < 0.001
    assert away[lids].max() < 1e-6


def test_skins_reach_from_light_to_dark():
    light, dark = (
        synthetic_person(1, darkness=d, texture_size=256).textures["albedo"][90:110, 120:136, :3]
        for d in (0.0, 1.0)
    )
    assert light.mean() > 190 and dark.mean() < 80


def test_clip_a_turns_to_both_sides_and_stays_neutral(person):
    clip = clip_a(5, person=person, seconds=4, rate_hz=15, size=SMALL)
    assert len(clip) == 60
    assert yaws(clip).min() < -55 and yaws(clip).max() > 55
    mouth = [i for i, name in enumerate(COEFFICIENT_NAMES) if name.startswith(("mouth", "jaw"))]
    assert clip.truth.coefficients[:, mouth].max() < 0.1
    blinks = clip.truth.coefficients[:, COEFFICIENT_INDEX["eyeBlinkLeft"]]
    assert blinks.max() > 0.9


def test_clip_b_shows_every_channel(person):
    clip = clip_b(5, person=person, seconds=30, rate_hz=15, size=SMALL)
    seen = clip.truth.coefficients.max(axis=0)
    weak = [name for name, most in zip(COEFFICIENT_NAMES, seen, strict=True) if most < 0.3]
    assert weak == []
    assert np.abs(yaws(clip)).max() < 25


def test_still_clip_differs_by_noise_alone(person):
    noisy = still_clip(5, person=person, seconds=0.2, rate_hz=15, size=SMALL)
    clean = still_clip(5, person=person, seconds=0.2, rate_hz=15, size=SMALL, sensor=CLEAN)
    first, second = list(clean.frames())[:2]
    assert np.array_equal(first, second)
    first, second = list(noisy.frames())[:2]
    assert 0 < np.abs(first.astype(int) - second).mean() < 6


def test_frames_repeat(person):
    clips = [clip_a(5, person=person, seconds=1, rate_hz=10, size=SMALL) for _ in range(2)]
    assert np.array_equal(clips[0].frame(3), clips[1].frame(3))


def test_waving_gets_faster(person):
    clip = waving_clip(5, person=person, seconds=4, rate_hz=60, size=SMALL)
    jaw = clip.truth.coefficients[:, COEFFICIENT_INDEX["jawOpen"]]
    beats = np.flatnonzero((jaw[1:-1] > jaw[:-2]) & (jaw[1:-1] >= jaw[2:]))
    steps = np.diff(beats) / 60
    assert steps[0] > 0.4 and steps[-1] < 0.25


def test_truth_lies_where_the_head_is_drawn(person):
    """The nose's tip lies on the head, and the head covers its landmarks and nothing far off."""
    sensor = Sensor(0, 0, 0, 0)
    clip = synthetic_portrait(5, person=person, yaw=0.4, size=(240, 320), sensor=sensor)
    landmarks = clip.truth.landmarks()
    assert np.degrees(np.linalg.norm(matrix_axis_angle(clip.truth.rotations[0]))) > 15
    plain = clip.frame(0).astype(int)
    bright = synthetic_portrait(
        5, person=person, yaw=0.4, size=(240, 320), sensor=sensor, expression={"jawOpen": 0.9}
    )
    changed = np.abs(bright.frame(0).astype(int) - plain).max(axis=2) > 25
    rows, columns = np.nonzero(changed)
    chin = landmarks[152]
    assert abs(np.median(columns) - chin[0]) < 25 and abs(np.median(rows) - chin[1]) < 45


def test_written_clip_reads_back(person, tmp_path):
    clip = clip_a(5, person=person, seconds=0.5, rate_hz=10, size=SMALL)
    path = clip.write(tmp_path / "a.mp4")
    frames = list(open_video(path))
    assert len(frames) == 5
    difference = np.abs(frames[2].image.astype(int) - clip.frame(2))
    assert difference.mean() < 8
    arrays = np.load(tmp_path / "a.npz")
    assert np.array_equal(arrays["coefficients"], clip.truth.coefficients)
    assert arrays["rotations"].shape == (5, 3, 3)
    clip.write(tmp_path / "a", truth=False)
    assert np.array_equal(read_image(tmp_path / "a" / "00002.png"), clip.frame(2))


@pytest.mark.needs("landmarker")
def test_landmarker_finds_faces_of_every_tone(tmp_path):
    from lifemask.tracking import FaceLandmarker

    with FaceLandmarker() as landmarker:
        for seed, darkness in ((1, 0.0), (2, 0.5), (3, 1.0)):
            person = synthetic_person(seed, darkness=darkness, texture_size=512)
            clip = synthetic_portrait(seed, person=person, size=(360, 480))
            faces = landmarker.detect(clip.frame(0))
            assert len(faces) == 1, darkness
            true = clip.truth.landmarks()
            unit = np.linalg.norm(true[33] - true[263])
            error = np.linalg.norm(faces[0].pixels[:468] - true[:468], axis=1).mean()
            assert error / unit < 0.07


@pytest.mark.needs("landmarker", "shared")
def test_landmarker_finds_faces_on_the_other_topology():
    from lifemask.tracking import FaceLandmarker

    model = load_head_model("ict", SHARED / "models" / "ict_facekit_light.npz")
    person = synthetic_person(4, model=model, darkness=0.7, texture_size=512)
    assert np.array_equal(person.head.neutral, model.head(person.identity).neutral)
    clip = synthetic_portrait(4, person=person, yaw=0.3, size=(360, 480))
    with FaceLandmarker() as landmarker:
        faces = landmarker.detect(clip.frame(0))
    assert len(faces) == 1
    true = clip.truth.landmarks()
    error = np.linalg.norm(faces[0].pixels[:468] - true[:468], axis=1).mean()
    assert error / np.linalg.norm(true[33] - true[263]) < 0.07
