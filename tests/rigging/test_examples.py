"""Shapes refined by a clip: what a person's own smile looks like, and when nothing is learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lifemask.geometry import Camera, Pose
from lifemask.heads import COEFFICIENT_INDEX, Head, load_head_model
from lifemask.rigging import TrackedClip, personal_head, refine_from_clips, shape_metrics
from lifemask.tracking import FaceLandmarks

_CAMERA = Camera(640, 640, 1000.0)
_FRAMES = 132
_NAMES = ("mouthSmileLeft", "mouthSmileRight", "jawOpen", "browInnerUp", "mouthPucker")


def _clip(head: Head, frames: int = _FRAMES) -> TrackedClip:
    """A clip of a head that smiles, speaks and raises its brows, seen exactly."""
    pose = Pose(np.eye(3), np.array([0.0, 0.0, -0.6]))
    time = np.arange(frames)
    values = np.zeros((frames, 52))
    for number, name in enumerate(_NAMES):
        wave = np.sin(time * (0.09 + 0.023 * number) + number)
        values[:, COEFFICIENT_INDEX[name]] = np.clip(wave, 0.0, 0.9)
    faces = []
    for row in values:
        at = pose.apply(head.landmarks(head.vertices(row)).astype(np.float64))
        points = np.c_[_CAMERA.project(at), 0.0 * at[:, 2]].astype(np.float32)
        points[:, 2] = -(at[:, 2] - at[:, 2].mean()) * _CAMERA.focal / at[:, 2].mean()
        faces.append(FaceLandmarks(points, 640, 640))
    return TrackedClip(faces, _CAMERA, values)


def _with_own_smile(head: Head) -> Head:
    """The same head, whose smile goes further up and less to the side."""
    shapes = head.expression_deltas.copy()
    for name in _NAMES[:2]:
        shapes[COEFFICIENT_INDEX[name]] *= np.array([0.6, 1.4, 1.0], np.float32)
    return replace(head, expression_deltas=shapes)


def test_a_persons_own_smile_is_learnt() -> None:
    head = personal_head(load_head_model().head())
    found = refine_from_clips(head, [_clip(_with_own_smile(head))])
    assert found.accepted
    assert found.error_after < 0.8 * found.error_before
    truth = _with_own_smile(head).expression_deltas
    skin = head.topology.parts["skin"].vertices
    for name in _NAMES[:2]:
        row = COEFFICIENT_INDEX[name]
        strong = np.linalg.norm(head.expression_deltas[row, skin], axis=1) > 0.008
        before, after = (
            np.linalg.norm((one.expression_deltas - truth)[row, skin][strong], axis=1).mean()
            for one in (head, found.head)
        )
        assert after < 0.85 * before
    metrics = shape_metrics(found.head, found)
    assert metrics["shapes_refined"] is True
    assert len(str(metrics["shapes_moved_mm"]).split()) == 52


def test_shapes_that_fit_are_left_alone() -> None:
    head = personal_head(load_head_model().head())
    found = refine_from_clips(head, [_clip(head)])
    assert not found.accepted
    assert found.head is head


def test_a_short_clip_teaches_nothing() -> None:
    head = personal_head(load_head_model().head())
    for frames in (1, 5, 20):
        found = refine_from_clips(head, [_clip(_with_own_smile(head), frames)])
        assert not found.accepted
        assert found.head is head
    assert "shapes_held_out_frames" not in shape_metrics(head, found)
