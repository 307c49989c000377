"""Scoring closed eyes and lips against marks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from landmark_samples import coefficients, landmark_model, make_pose
from lifemask import ImageError
from lifemask.evaluation._marks import ClipMarks, Closure, score_marks
from lifemask.tracking import FrameSolution, LandmarkShape

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "marks"


@pytest.fixture(scope="module")
def shape():
    zeros = np.zeros(len(landmark_model().identity))
    return LandmarkShape.from_model(landmark_model(), zeros).with_meeting_lids()


def solution(**values):
    return FrameSolution(coefficients(**values), np.zeros(4), make_pose(), 0.01)


@pytest.fixture
def marks(tmp_path):
    path = tmp_path / "one.json"
    eye = {"closed": [[4, 5]], "unclear": [[3, 3], [6, 6]]}
    data = {
        "frames": 12,
        "eyes": {"left": eye, "right": eye},
        "lips": {"closed": [[0, 7]], "unclear": []},
    }
    path.write_text(json.dumps(data), encoding="utf-8")
    return ClipMarks.load(path)


def performed(blinks=(4, 5), opened=(8, 9, 10, 11)):
    return [
        solution(
            eyeBlinkLeft=float(i in blinks),
            eyeBlinkRight=float(i in blinks),
            jawOpen=0.5 * (i in opened),
        )
        for i in range(12)
    ]


def test_a_perfect_solution(marks, shape):
    for name, one in score_marks(performed(), shape, marks).items():
        assert (one.recalled, one.false) == (1.0, 0.0), name


def test_missed_and_invented_blinks(marks, shape):
    missed = score_marks(performed(blinks=()), shape, marks)
    assert missed["blink coefficients"].recalled == missed["lid gap"].recalled == 0.0
    invented = score_marks(performed(blinks=(4, 5, 10, 11)), shape, marks)
    assert invented["blink coefficients"].false == invented["lid gap"].false == 0.5
    gaping = score_marks(performed(opened=range(12)), shape, marks)
    assert gaping["lip gap"].recalled == gaping["jaw coefficients"].recalled == 0.0


def test_one_frame_is_forgiven_and_unclear_frames_do_not_count(marks, shape):
    late = score_marks(performed(blinks=(5, 6)), shape, marks)
    assert late["lid gap"].recalled == 1.0
    assert late["lid gap"].false == 0.0


def test_lost_frames_count_as_open(marks, shape):
    lost = [None if i in (4, 5) else one for i, one in enumerate(performed())]
    assert score_marks(lost, shape, marks)["lid gap"].recalled == 0.0
    with pytest.raises(ValueError, match="12"):
        score_marks(lost[:5], shape, marks)


def test_clips_pool_by_their_frames():
    pooled = Closure.pooled([Closure(10, 1.0, 10, 0.0), Closure(30, 0.5, 10, 0.2)])
    assert pooled == Closure(40, 0.625, 20, 0.1)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_committed_marks_can_be_read(path):
    marks = ClipMarks.load(path)
    assert marks.closed.any(axis=0).all()
    assert not np.any(marks.closed & marks.opened)


@pytest.mark.parametrize("text", ["[]", "{", '{"frames": 3}'])
def test_files_that_hold_no_marks(tmp_path, text):
    path = tmp_path / "wrong.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ImageError) as caught:
        ClipMarks.load(path)
    assert caught.value.hint
