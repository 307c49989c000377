"""Frames that are left out, and why; frames that are chosen."""

from __future__ import annotations

import numpy as np
import pytest

from clip_helpers import made_clip
from lifemask.avatar._capture_choice import TEXTURE_FRAMES, choose_frames
from lifemask.avatar._capture_judge import REASONS, judge
from lifemask.avatar._capture_summary import blinks, frame_table, summarise
from lifemask.avatar._evidence import Recording
from lifemask.geometry import axis_angle_matrix
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking import REGIONS


def reasons(clip) -> list[str]:
    return ["" if i < 0 else REASONS[i] for i in judge(clip).reasons]


def turned(clip, yaws) -> np.ndarray:
    """Return landmarks of the face turned to the yaws, radians, toward its own left."""
    middle = clip.points[0].mean(axis=0)
    flip = np.diag([1.0, -1.0, -1.0])
    return np.stack(
        [
            (p - middle) @ (flip @ axis_angle_matrix([0, yaw, 0]) @ flip).T + middle
            for p, yaw in zip(clip.points, yaws, strict=True)
        ]
    ).astype(np.float32)


def test_good_frames_are_kept():
    assert reasons(made_clip(30)) == [""] * 30


def test_lost_and_dark_frames():
    clip = made_clip(20)
    points, dark = clip.points.copy(), clip.dark.copy()
    points[3:6] = np.nan
    dark[3] = True
    found = reasons(made_clip(20, points=points, dark=dark))
    assert found[2:7] == ["", "dark", "no face", "no face", ""]


def test_face_that_leaves_the_picture_and_small_one():
    clip = made_clip(20)
    points = clip.points.copy()
    points[4] += (170, 0, 0)
    points[15:] = 200 + 0.3 * (points[15:] - 200)
    found = reasons(made_clip(20, points=points))
    assert found[4] == "cut off"
    assert set(found[15:]) == {"small"}


def test_motion_blur_is_relative_to_the_clip():
    sharpness = made_clip(30).sharpness.copy()
    sharpness[7] *= 0.2
    assert [i for i, why in enumerate(reasons(made_clip(30, sharpness=sharpness))) if why] == [7]
    soft = made_clip(30, sharpness=sharpness * 0.01)
    assert reasons(soft)[7] == "blurred"
    assert reasons(soft).count("blurred") == 1


def test_patch_of_other_colours_is_something_before_the_face():
    clip = made_clip(40)
    colours = clip.colours.copy()
    low = np.flatnonzero(clip.points[0, :468, 1] > clip.points[0, 1, 1])
    colours[10:14, low] = np.float16(-0.6)
    found = reasons(made_clip(40, colours=colours))
    assert [i for i, why in enumerate(found) if why == "covered"] == [10, 11, 12, 13]


def test_light_from_elsewhere_does_not_cover_the_face():
    clip = made_clip(40)
    across = (clip.points[0, :468, :1] - 200) / 80
    colours = clip.colours.astype(np.float32)
    colours[20:] += 0.5 * across
    found = judge(made_clip(40, colours=colours.astype(np.float16)))
    assert found.covered.max() < 0.05


def test_other_exposure_tells_shape_but_not_skin():
    luminance = made_clip(30).luminance.copy()
    luminance[12] *= 1.6
    verdict = judge(made_clip(30, luminance=luminance))
    assert REASONS[verdict.reasons[12]] == "light"
    assert verdict.for_shape.all()
    assert not verdict.for_texture[12]


def test_run_of_frames_with_another_face_elsewhere_is_left_out():
    clip = made_clip(40)
    points = clip.points.copy()
    points[25:32, :, 0] -= 110
    points[36:, :, 0] -= 3
    found = reasons(made_clip(40, points=points))
    assert [i for i, why in enumerate(found) if why == "jump"] == list(range(25, 32))


@pytest.fixture
def turn():
    """A slow turn from -50° to 50°, with a grimace at the front."""
    clip = made_clip(201)
    yaws = np.deg2rad(np.linspace(-50, 50, 201))
    scores = clip.scores.copy()
    scores[90:96, COEFFICIENT_INDEX["mouthSmileLeft"]] = 1.0
    scores[90:96, COEFFICIENT_INDEX["eyeBlinkLeft"]] = 1.0
    return made_clip(201, points=turned(clip, yaws), scores=scores)


def test_turn_is_measured(turn):
    np.testing.assert_allclose(np.rad2deg(turn.yaw), np.linspace(-50, 50, 201), atol=0.2)
    np.testing.assert_allclose(turn.pitch, 0, atol=1e-3)


def test_skin_comes_from_every_direction_at_rest(turn):
    (choice,) = choose_frames([turn], [judge(turn)])
    yaws = np.rad2deg(turn.yaw[list(choice.texture)])
    assert len(choice.texture) <= TEXTURE_FRAMES
    assert {round(yaw / 10) for yaw in yaws} == set(range(-5, 6))
    assert not set(choice.texture) & set(range(90, 96))
    assert set(choice.texture) <= set(choice.shape)
    assert any(90 <= i < 96 for i in choice.shape)


def test_lips_pulled_to_a_side_are_no_rest_whatever_the_scores_say(turn):
    points = turn.points.copy()
    points[40:60, REGIONS["lips"], 0] += 15
    clip = made_clip(201, points=points)
    (choice,) = choose_frames([clip], [judge(clip)])
    assert not set(choice.texture) & set(range(40, 60))
    assert len(choice.texture) > 8


def test_bad_frames_are_never_chosen(turn):
    sharpness = turn.sharpness.copy()
    sharpness[::2] *= 0.1
    clip = made_clip(201, points=turn.points, scores=turn.scores, sharpness=sharpness)
    (choice,) = choose_frames([clip], [judge(clip)])
    assert choice.texture
    assert all(i % 2 for i in choice.shape)


def test_choice_spans_all_clips_of_a_person(turn):
    front = made_clip(50)
    first, second = choose_frames([front, turn], [judge(front), judge(turn)])
    assert first.texture
    assert len(second.texture) > len(first.texture)


def test_summary_counts_what_was_seen(turn):
    scores = turn.scores.copy()
    eyes = [COEFFICIENT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right")]
    for start in (20, 60, 150):
        scores[start : start + 4, eyes] = 0.9
    clip = made_clip(201, points=turn.points, scores=scores)
    assert blinks(clip) == 3
    verdict = judge(clip)
    recording = Recording(clip, verdict, choose_frames([clip], [verdict])[0])
    told = summarise("a.mp4", recording)
    assert sum(told["yaw_bins_deg"].values()) == told["frames_usable"] == 201
    assert {"-50", "0", "50"} <= told["yaw_bins_deg"].keys()
    assert told["variable_rate"] is False
    rows = frame_table(recording)
    assert [row["frame"] for row in rows if row["texture"]] == told["texture_frames"]


def test_variable_rate_is_seen():
    times = np.cumsum(np.where(np.arange(60) < 20, 0.1, 0.04))
    clip = made_clip(60, times=times)
    verdict = judge(clip)
    recording = Recording(clip, verdict, choose_frames([clip], [verdict])[0])
    assert summarise("a.mp4", recording)["variable_rate"] is True
