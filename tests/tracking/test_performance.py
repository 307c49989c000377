"""A tracked performance: lost faces, unknown performers, files, cameras and crowds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmark_samples import (
    HEIGHT,
    WIDTH,
    BlankImages,
    PlayedLandmarker,
    Truth,
    coefficients,
    landmark_model,
    make_pose,
    see,
)
from lifemask import NoFaceError, SeveralFacesError
from lifemask.capture import TrackingState, VideoSource
from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, load_head_model
from lifemask.tracking import Smoothing, TrackedPerformance
from needs import require

JAW = COEFFICIENT_INDEX["jawOpen"]


@pytest.fixture(scope="module")
def talk():
    """Forty frames of somebody who opens and closes the mouth."""
    random = np.random.default_rng(3)
    identity = random.standard_normal(len(landmark_model().identity)) * 0.6
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    truths = []
    for index in range(40):
        values = coefficients(jawOpen=0.5 - 0.5 * np.cos(2 * np.pi * index / 20))
        pose = make_pose((0.0, 0.2 * np.sin(index / 9), 0.0))
        truths.append(Truth(identity, values, np.zeros(4), pose, camera))
    return truths


@pytest.fixture
def faces(talk):
    return [see(truth, 0.3, seed=i) for i, truth in enumerate(talk)]


def perform(faces, **options):
    source = TrackedPerformance(
        BlankImages(len(faces), live=options.pop("live", False)),
        landmarker=PlayedLandmarker(faces, options.pop("crowd", 1)),
        **options,
    )
    return source, list(source.frames())


def test_performer_is_fitted_and_the_mouth_follows(talk, faces):
    source, frames = perform(faces)
    jaw = [frame.coefficients[JAW] for frame in frames]
    truth = [one.coefficients[JAW] for one in talk]
    assert np.corrcoef(jaw, truth)[0, 1] > 0.98
    # The size of a head cannot be seen, so the amplitude is right only to a fifth.
    assert np.abs(np.subtract(jaw, truth)).mean() < 0.1
    assert source.performer.identity is not None
    assert source.channel_names == COEFFICIENT_NAMES
    assert not source.channel_validity[COEFFICIENT_INDEX["tongueOut"]]
    assert source.channel_validity.sum() == 51
    assert not source.live


def test_capture_times_are_those_of_the_pictures(faces):
    _, frames = perform(faces)
    times = np.array([frame.capture_time_nanos for frame in frames])
    expected = [f.capture_time_nanos for f in BlankImages(len(faces)).frames()]
    np.testing.assert_array_equal(times, expected)


def test_lost_frames_hold_the_last_values(faces):
    gone = [*faces[:20], None, None, *faces[22:]]
    _, frames = perform(gone)
    states = [frame.tracking_state for frame in frames]
    assert [i for i, s in enumerate(states) if s is TrackingState.LOST] == [20, 21]
    for index in (20, 21):
        np.testing.assert_array_equal(frames[index].coefficients, frames[19].coefficients)
        np.testing.assert_array_equal(frames[index].head_rotation, frames[19].head_rotation)
        assert frames[index].capture_time_nanos > frames[index - 1].capture_time_nanos


def test_frames_before_the_first_face_are_neutral_and_lost(faces):
    _, frames = perform([None, None, *faces])
    assert [frame.tracking_state for frame in frames[:3]] == [
        TrackingState.LOST,
        TrackingState.LOST,
        TrackingState.TRACKED,
    ]
    assert frames[0].coefficients.sum() == 0
    assert frames[0].head_translation[2] < 0


def test_file_without_a_face():
    with pytest.raises(NoFaceError) as caught:
        perform_nobody()
    assert caught.value.hint


def perform_nobody():
    landmarker = PlayedLandmarker([None] * 5)
    landmarker.detect = lambda image: []
    source = TrackedPerformance(BlankImages(5), landmarker=landmarker)
    list(source.frames())


def test_crowd_demands_a_choice(faces):
    with pytest.raises(SeveralFacesError) as caught:
        perform(faces, crowd=2)
    assert "--face" in caught.value.hint
    _, frames = perform(faces[:3], crowd=2, face="largest")
    assert len(frames) == 3
    _, frames = perform(faces[:3], crowd=2, live=True)
    assert len(frames) == 3, "a camera takes the face that it follows"


def test_camera_starts_at_once_and_learns(talk, faces):
    source, frames = perform([None, *faces], live=True)
    assert source.live
    assert frames[0].tracking_state is TrackingState.LOST
    assert all(frame.tracking_state is TrackingState.TRACKED for frame in frames[1:])
    jaw = [frame.coefficients[JAW] for frame in frames[1:]]
    truth = [one.coefficients[JAW] for one in talk]
    assert np.corrcoef(jaw[5:], truth[5:])[0, 1] > 0.9


def test_known_head_is_taken_as_it_is(faces):
    head = load_head_model().head()
    camera = Camera(WIDTH, HEIGHT, 1.8 * WIDTH)
    source, frames = perform(faces[:4], head=head, camera=camera)
    assert source.performer.identity is None
    assert source.performer.camera is camera
    assert len(frames) == 4


def test_second_opinion_is_mixed_in_where_it_counts(faces):
    class Closed:
        """Sees closed eyes everywhere and knows nothing of anything else."""

        shares = np.zeros(52)

        def __call__(self, image, face):
            assert image.ndim == 3
            assert face.points.shape == (478, 3)
            return np.ones(52)

    second = Closed()
    eyes = [COEFFICIENT_INDEX["eyeBlinkLeft"], COEFFICIENT_INDEX["eyeBlinkRight"]]
    second.shares[eyes] = 0.25
    plain, mixed = perform(faces)[1], perform(faces, second=second)[1]
    for before, after in zip(plain, mixed, strict=True):
        wanted = before.coefficients.copy()
        wanted[eyes] = 0.75 * wanted[eyes] + 0.25
        np.testing.assert_allclose(after.coefficients, wanted, atol=1e-6)


def test_files_are_smoothed_only_on_request(talk):
    calm = [replace(truth, coefficients=coefficients(), pose=make_pose()) for truth in talk]
    noisy = [see(truth, 2.0, seed=100 + i) for i, truth in enumerate(calm)]
    _, raw = perform(noisy)
    _, smooth = perform(noisy, smoothing=Smoothing())
    shake = [
        np.abs(np.diff([f.head_rotation for f in run], axis=0)).mean() for run in (raw, smooth)
    ]
    assert shake[1] < 0.7 * shake[0]


def test_closing_closes_both(faces):
    images, landmarker = BlankImages(1), PlayedLandmarker(faces)
    source = TrackedPerformance(images, landmarker=landmarker)
    source.close()
    source.close()
    assert images.closed and landmarker.closed


@pytest.mark.needs("shared", "landmarker")
def test_real_clip():
    path = require("shared") / "data" / "clips" / "d19.mp4"
    source = TrackedPerformance(VideoSource(path, start_time_nanos=0))
    frames = list(source.frames())
    source.close()
    assert len(frames) == 250
    assert all(frame.tracking_state is TrackingState.TRACKED for frame in frames)
    values = np.array([frame.coefficients for frame in frames])
    assert values.min() >= 0.0 and values.max() <= 1.0
    depth = np.array([frame.head_translation[2] for frame in frames])
    assert np.all((depth < -0.3) & (depth > -2.0))
    steps = np.abs(np.diff(values, axis=0))
    assert np.quantile(steps, 0.99) < 0.25, "neighbouring frames of a video are alike"
