from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifemask.capture import PerformanceFrame
from lifemask.geometry import axis_angle_matrix, matrix_quaternion
from lifemask.heads import JOINT_NAMES, load_head_model
from lifemask.rendering import Renderer, frame_head, pose_vertices
from synthetic import make_head


@pytest.mark.parametrize("size", [(512, 512), (360, 640), (1280, 720)])
@pytest.mark.parametrize("yaw", np.radians([-180, -90, -45, 0, 30, 60, 90]))
def test_whole_head_is_in_the_picture(size, yaw):
    for head in (make_head(), load_head_model().head()):
        camera, pose = frame_head(head, *size, yaw=float(yaw))
        above = head.neutral[head.neutral[:, 1] > head.neutral[head.topology.neck_loop, 1].max()]
        x, y = camera.project(pose.apply(above.astype(np.float64))).T
        assert x.min() > 0 and x.max() < size[0]
        assert y.min() > 0 and y.max() < size[1]
        # Large enough to see something: it fills most of the tighter side.
        assert max(np.ptp(x) / size[0], np.ptp(y) / size[1]) > 0.55


def test_head_is_upright_and_pitch_raises_the_face():
    head = make_head()
    nose = head.neutral[np.argmax(head.neutral[:, 2])].astype(np.float64)
    heights = []
    for pitch in (-0.3, 0.0, 0.3):
        camera, pose = frame_head(head, 100, 100, pitch=pitch)
        heights.append(camera.project(pose.apply(nose[None]))[0, 1])
    assert heights[0] > heights[1] > heights[2]


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(-1.0, 1.0)] * 3))
def test_root_stays_and_head_follows(rotation):
    head = make_head()
    matrix = axis_angle_matrix(rotation)
    frame = PerformanceFrame(
        0, np.zeros(52, np.float32), matrix_quaternion(matrix).astype(np.float32)
    )
    vertices, motion = pose_vertices(head, frame)
    np.testing.assert_allclose(motion.rotation, matrix, atol=1e-6)
    moved = motion.apply(vertices)
    root = head.joint_weights[:, JOINT_NAMES.index("Root")] == 1
    assert root.any()
    np.testing.assert_allclose(moved[root], head.neutral[root], atol=1e-5)
    rigid = head.joint_weights[:, JOINT_NAMES.index("Head")] == 1
    expected = head.neutral[rigid] @ matrix.T.astype(np.float32)
    offset = moved[rigid] - expected
    np.testing.assert_allclose(offset, np.broadcast_to(offset[0], offset.shape), atol=1e-5)


def test_coefficients_and_gaze_reach_the_vertices():
    head = make_head()
    weights = np.zeros(52, np.float32)
    weights[17] = 1.0
    gaze = np.array([0.3, 0.1, 0.3, 0.1], np.float32)
    vertices, motion = pose_vertices(head, PerformanceFrame(0, weights, gaze=gaze))
    np.testing.assert_allclose(vertices, head.vertices(weights, gaze=gaze), atol=1e-6)
    np.testing.assert_allclose(motion.translation, 0, atol=1e-9)


def test_renderer_draws_the_real_head():
    head = load_head_model().head()
    camera, pose = frame_head(head, 96, 96)
    picture = Renderer(head, {}).render(camera=camera, pose=pose, alpha=True)
    assert 0.2 < (picture[..., 3] > 128).mean() < 0.7
