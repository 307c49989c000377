"""Known heads are found again from their projected landmarks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_samples import (
    HEIGHT,
    WIDTH,
    Truth,
    coefficients,
    landmark_model,
    make_pose,
    random_truth,
    see,
)
from lifemask import NoFaceError
from lifemask.geometry import Camera, matrix_axis_angle
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, mirrored_name
from lifemask.tracking import (
    MIRRORED,
    FaceLandmarks,
    FrameSolver,
    LandmarkShape,
    SolveSettings,
    choose_key_frames,
    fit_performer,
    fit_photo,
    fit_photos,
)

TRUST = SolveSettings(noise=0.003, sparsity=0.02, ridge=0.02, identity=0.1)
"""For landmarks without error: priors that hardly pull."""


@pytest.fixture(scope="module")
def model():
    return landmark_model()


def shape_error(model, identity, truth: Truth) -> float:
    """Mean distance of the rest shapes after their sizes and places are aligned, metres."""
    a = LandmarkShape.from_model(model, identity).neutral[:468]
    b = LandmarkShape.from_model(model, truth.identity).neutral[:468]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    a = a * (np.linalg.norm(b) / np.linalg.norm(a))
    return float(np.linalg.norm(a - b, axis=1).mean())


@pytest.mark.parametrize("seed", range(6))
def test_one_picture_is_explained(model, seed):
    truth = random_truth(np.random.default_rng(seed))
    fit = fit_photo(see(truth), model, settings=TRUST)
    assert fit.error_interocular < 0.0015
    assert np.all((fit.coefficients >= 0) & (fit.coefficients <= 1))
    turn = matrix_axis_angle(fit.pose.rotation.T @ truth.pose.rotation)
    assert np.degrees(np.linalg.norm(turn)) < 2.5
    assert np.abs(fit.coefficients - truth.coefficients).mean() < 0.05


def test_several_pictures_know_the_person_better_than_one(model):
    random = np.random.default_rng(11)
    identity = random.standard_normal(len(model.identity)) * 0.8
    truths = [random_truth(random, identity) for _ in range(10)]
    faces = [see(truth, noise_pixels=0.6, seed=i) for i, truth in enumerate(truths)]
    alone = fit_photo(faces[0], model)
    together = fit_photos(faces, model)
    assert len({fit.camera.focal for fit in together}) == 1
    assert all(fit.identity is together[0].identity for fit in together)
    many, one = (shape_error(model, f.identity, truths[0]) for f in (together[0], alone))
    nobody = shape_error(model, np.zeros_like(identity), truths[0])
    assert many < one < nobody
    assert many < 0.5 * nobody
    worst = max(fit.error_interocular for fit in together)
    assert worst < 0.01


def test_calm_face_gets_no_expression(model):
    random = np.random.default_rng(4)
    truth = replace(random_truth(random), coefficients=coefficients(), gaze=np.zeros(4))
    fit = fit_photo(see(truth, noise_pixels=0.8), model)
    assert fit.coefficients.sum() < 1.0
    assert fit.coefficients.max() < 0.3


def test_pictures_of_different_size_have_their_own_focal_length(model):
    random = np.random.default_rng(5)
    identity = random.standard_normal(len(model.identity)) * 0.5
    near = replace(random_truth(random, identity), camera=Camera(WIDTH, HEIGHT, 1.6 * WIDTH))
    far = replace(random_truth(random, identity), camera=Camera(1200, 1600, 3500.0))
    first, second = fit_photos([see(near), see(far)], model, settings=TRUST)
    assert first.camera.focal != second.camera.focal
    assert first.error_interocular < 0.002 and second.error_interocular < 0.002


def test_frames_of_a_clip_share_a_camera_and_a_photo_has_its_own(model):
    random = np.random.default_rng(6)
    identity = random.standard_normal(len(model.identity)) * 0.5
    clip = Camera(WIDTH, HEIGHT, 1.5 * WIDTH)
    turned = [
        replace(random_truth(random, identity), camera=clip, pose=make_pose((0.0, yaw, 0.0)))
        for yaw in (-0.5, 0.0, 0.5)
    ]
    photo = replace(random_truth(random, identity), camera=Camera(WIDTH, HEIGHT, 2.6 * WIDTH))
    photo = replace(photo, pose=make_pose((0.0, 0.05, 0.0), (0.0, 0.0, -0.9)))
    fits = fit_photos([see(t) for t in (*turned, photo)], model, cameras=[7, 7, 7, 3])
    focals = [fit.camera.focal for fit in fits]
    assert focals[0] == focals[1] == focals[2] != focals[3]
    assert [fit.focal_told for fit in fits] == [True, True, True, False]
    assert all(fit.identity is fits[0].identity for fit in fits)
    with pytest.raises(ValueError, match="cameras"):
        fit_photos([see(photo)], model, cameras=[1, 2])


def test_picture_of_something_else_is_outvoted(model):
    random = np.random.default_rng(12)
    identity = random.standard_normal(len(model.identity)) * 0.6
    faces = [see(random_truth(random, identity), 0.5, i) for i in range(6)]
    points = faces[2].points.copy()
    points[:, :2] += 25 * np.random.default_rng(0).standard_normal((478, 2))
    broken = [*faces[:2], replace(faces[2], points=points), *faces[3:]]
    fits = fit_photos(broken, model)
    assert fits[2].weight < 0.5
    assert min(fit.weight for i, fit in enumerate(fits) if i != 2) > 0.5
    clean = fit_photos([*faces[:2], *faces[3:]], model)[0].identity
    truth = Truth(identity, *[None] * 4)
    assert shape_error(model, fits[0].identity, truth) < 0.0005 + shape_error(model, clean, truth)


def slide(face: FaceLandmarks, share: float, seed: int) -> FaceLandmarks:
    """Return landmarks that err together: smoothly over the face, share of the inter-ocular."""
    random = np.random.default_rng(seed)
    points = face.points.copy()
    unit = np.linalg.norm(points[263, :2] - points[33, :2])
    at = (points[:, :2] - points[:, :2].mean(axis=0)) / unit
    waves = np.cos(at @ random.standard_normal((2, 30)) * 2 + random.uniform(0, 2 * np.pi, 30))
    points[:, :2] += share * unit * waves @ random.standard_normal((30, 2)) / np.sqrt(15.0)
    return replace(face, points=points)


def resting(random, identity, yaw: float) -> Truth:
    truth = random_truth(random, identity)
    pose = make_pose((0.0, yaw, 0.0))
    return replace(truth, coefficients=coefficients(), gaze=np.zeros(4), pose=pose)


def test_one_picture_tells_more_than_the_mean_head_though_landmarks_err(model):
    errors = []
    for seed in range(5):
        random = np.random.default_rng(30 + seed)
        truth = resting(random, random.standard_normal(len(model.identity)) * 0.8, 0.05)
        fit = fit_photo(slide(see(truth, 0.5, seed), 0.02, seed), model)
        errors.append(
            [shape_error(model, i, truth) for i in (fit.identity, np.zeros_like(fit.identity))]
        )
    fitted, nobody = np.array(errors).T
    assert fitted.mean() < 0.9 * nobody.mean()


def test_landmarks_that_slide_in_turned_pictures_do_not_worsen_the_head(model):
    gains = []
    for seed in range(3):
        random = np.random.default_rng(50 + seed)
        identity = random.standard_normal(len(model.identity)) * 0.8
        truths = [
            resting(random, identity, yaw) for yaw in (0.0, -0.05, 0.05, -0.9, 0.9, -1.0, 1.0)
        ]
        shares = (0.015, 0.015, 0.015, 0.06, 0.06, 0.06, 0.06)
        faces = [
            slide(see(t, 0.5, i), share, 10 * seed + i)
            for i, (t, share) in enumerate(zip(truths, shares, strict=True))
        ]
        front, turned = (fit_photos(some, model)[0].identity for some in (faces[:3], faces))
        gains.append([shape_error(model, some, truths[0]) for some in (front, turned)])
    front, turned = np.mean(gains, axis=0)
    assert turned < 1.05 * front


def test_smile_leaves_the_identity_alone(model):
    """What a smile changes in the neutral face is small beside the smile."""
    random = np.random.default_rng(14)
    rest = replace(random_truth(random), coefficients=coefficients(), gaze=np.zeros(4))
    smile = coefficients(mouthSmileLeft=0.7, mouthSmileRight=0.65, cheekSquintLeft=0.4)
    calm, smiling = (
        fit_photo(see(replace(rest, coefficients=c), 0.5), model).identity
        for c in (rest.coefficients, smile)
    )
    person = LandmarkShape.from_model(model, rest.identity)
    size = np.linalg.norm(person.points(smile)[:468] - person.neutral[:468], axis=1).mean()
    truth = Truth(calm, *[None] * 4)
    assert shape_error(model, smiling, truth) < 0.5 * size


@pytest.mark.parametrize("yaws", [(0.0,), (0.0, 0.0, 0.0), (1.1, 1.2, 1.1), (-1.2, 1.2)])
def test_few_or_one_sided_pictures_are_fitted_too_and_always_alike(model, yaws):
    random = np.random.default_rng(15)
    truths = [replace(random_truth(random), pose=make_pose((0.0, yaw, 0.0))) for yaw in yaws]
    faces = [see(truth, 0.5, i) for i, truth in enumerate(truths)]
    first, second = fit_photos(faces, model), fit_photos(faces, model)
    for one, again in zip(first, second, strict=True):
        assert np.all(np.isfinite(one.identity)) and np.all(np.isfinite(one.pose.translation))
        assert np.sqrt(np.mean(one.identity**2)) < 2.0
        assert 0.2 < -one.pose.translation[2] < 3.0
        np.testing.assert_array_equal(one.identity, again.identity)
        np.testing.assert_array_equal(one.coefficients, again.coefficients)


def test_mirrored_picture_gives_the_mirrored_expression(model):
    truth = replace(
        random_truth(np.random.default_rng(8)),
        identity=np.zeros(len(model.identity)),
        coefficients=coefficients(eyeBlinkLeft=0.8, mouthSmileLeft=0.6, browDownLeft=0.5),
        gaze=np.zeros(4),
        pose=make_pose((0.05, 0.2, 0.1)),
    )
    face = see(truth)
    points = face.points[MIRRORED].copy()
    points[:, 0] = face.width - points[:, 0]
    mirrored = FaceLandmarks(points, face.width, face.height)
    there, back = (fit_photo(one, model).coefficients for one in (face, mirrored))
    order = [COEFFICIENT_INDEX[mirrored_name(name)] for name in COEFFICIENT_NAMES]
    np.testing.assert_allclose(back[order], there, atol=0.12)
    assert there[COEFFICIENT_INDEX["eyeBlinkLeft"]] > 0.5
    assert there[COEFFICIENT_INDEX["eyeBlinkRight"]] < 0.2


def test_no_pictures():
    with pytest.raises(NoFaceError) as caught:
        fit_photos([], landmark_model())
    assert caught.value.hint


def test_key_frames_differ_and_skip_lost_ones(model):
    calm = Truth(
        np.zeros(len(model.identity)),
        coefficients(),
        np.zeros(4),
        make_pose(),
        Camera(WIDTH, HEIGHT, 1.8 * WIDTH),
    )
    open_mouth = replace(calm, coefficients=coefficients(jawOpen=0.9))
    turned = replace(calm, pose=make_pose((0, 0.4, 0)))
    faces = [see(calm, 0.3, i) for i in range(8)]
    frames = [*faces[:4], None, see(open_mouth), *faces[4:], see(turned), None]
    assert set(choose_key_frames(frames, 3)) >= {5, 10}
    assert choose_key_frames(frames, 100) == [i for i, f in enumerate(frames) if f is not None]
    assert choose_key_frames([None, None]) == []
    with pytest.raises(NoFaceError):
        fit_performer([None, None], model=model)


@pytest.fixture(scope="module")
def sequence(model):
    """A minute's worth of motion in 60 frames, slow enough for video."""
    random = np.random.default_rng(21)
    identity = random.standard_normal(len(model.identity)) * 0.7
    truths = []
    for index in range(60):
        phase = 2 * np.pi * index / 60
        gaze = np.tile([0.25 * np.sin(phase), 0.12 * np.cos(phase)], 2)
        values = coefficients(
            gaze,
            jawOpen=0.4 - 0.4 * np.cos(3 * phase),
            mouthSmileLeft=max(0.0, 0.7 * np.sin(phase)),
            mouthSmileRight=max(0.0, 0.7 * np.sin(phase)),
            browInnerUp=max(0.0, -0.8 * np.sin(phase)),
            eyeBlinkLeft=float(index % 20 in (10, 11, 12)),
            eyeBlinkRight=float(index % 20 in (10, 11, 12)),
        )
        pose = make_pose((0.1 * np.cos(phase), 0.35 * np.sin(phase), 0.05), (0.02, 0, -0.8))
        camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
        truths.append(Truth(identity, values, gaze, pose, camera))
    return truths


@pytest.fixture(scope="module")
def solutions(model, sequence):
    shape = LandmarkShape.from_model(model, sequence[0].identity)
    solver = FrameSolver(shape, sequence[0].camera)
    return [solver.solve(see(t, 0.4, seed=i)) for i, t in enumerate(sequence)]


def test_errors_are_those_of_the_noise(solutions):
    errors = [one.error_interocular for one in solutions]
    assert np.median(errors) < 0.006
    assert max(errors) < 0.013


def test_coefficients_follow(sequence, solutions):
    truth = np.array([one.coefficients for one in sequence])
    found = np.array([one.coefficients for one in solutions])
    assert found.min() >= 0.0 and found.max() <= 1.0
    assert np.abs(found - truth).mean() < 0.03
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight"):
        column = COEFFICIENT_INDEX[name]
        assert np.corrcoef(truth[:, column], found[:, column])[0, 1] > 0.97, name
    assert np.all(found[:, COEFFICIENT_INDEX["tongueOut"]] == 0.0)


def test_blinks_are_found_and_nothing_else_is_a_blink(sequence, solutions):
    column = COEFFICIENT_INDEX["eyeBlinkLeft"]
    truth = np.array([one.coefficients[column] for one in sequence]) > 0.5
    found = np.array([one.coefficients[column] for one in solutions]) > 0.5
    np.testing.assert_array_equal(found, truth)


def test_gaze_and_pose_follow(sequence, solutions):
    open_eyes = [i for i, t in enumerate(sequence) if t.coefficients[0] == 0.0]
    gaze = np.array([solutions[i].gaze - sequence[i].gaze for i in open_eyes])
    assert np.degrees(np.abs(gaze).mean()) < 2.5
    for truth, one in zip(sequence, solutions, strict=True):
        turn = matrix_axis_angle(one.pose.rotation.T @ truth.pose.rotation)
        assert np.degrees(np.linalg.norm(turn)) < 1.5


def test_performance_frame_carries_it_all(solutions):
    frame = solutions[7].performance_frame(123)
    assert frame.capture_time_nanos == 123
    assert frame.coefficients.dtype == np.float32
    assert np.linalg.norm(frame.head_rotation) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(frame.head_translation, solutions[7].pose.translation, 1e-6)
    np.testing.assert_allclose(frame.gaze, solutions[7].gaze, rtol=1e-6)


def test_a_jump_is_solved_afresh(model, sequence):
    shape = LandmarkShape.from_model(model, sequence[0].identity)
    solver = FrameSolver(shape, sequence[0].camera)
    solver.solve(see(sequence[15]))
    jump = replace(sequence[15], pose=make_pose((0.0, -0.6, 0.2), (-0.05, 0.05, -0.6)))
    found = solver.solve(see(jump))
    turn = matrix_axis_angle(found.pose.rotation.T @ jump.pose.rotation)
    assert np.degrees(np.linalg.norm(turn)) < 2.0


def test_opposites_exclude_each_other(solutions):
    values = np.array([one.coefficients for one in solutions])
    for first, second in (("mouthLeft", "mouthRight"), ("jawLeft", "jawRight")):
        both = values[:, [COEFFICIENT_INDEX[first], COEFFICIENT_INDEX[second]]]
        assert both.min(axis=1).max() < 0.01
    close, jaw = (COEFFICIENT_INDEX[name] for name in ("mouthClose", "jawOpen"))
    assert np.all(values[:, close] <= values[:, jaw] + 0.05)
