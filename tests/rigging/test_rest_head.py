"""A head that is settled at rest has its landmarks there, and stays a head."""

import numpy as np

from lifemask.heads import JOINT_NAMES, load_head_model
from lifemask.rigging import settle_at_rest
from lifemask.tracking import FACE_POINTS


def test_landmarks_arrive_and_eyes_stay_round():
    head = load_head_model().head()
    points = head.landmarks(head.neutral)[:FACE_POINTS].astype(np.float64)
    rest = points.copy()
    rest[points[:, 1] > np.percentile(points[:, 1], 80), 1] += 0.003  # raised brows
    settled = settle_at_rest(head, rest)
    moved = settled.landmarks(settled.neutral)[:FACE_POINTS]
    assert (
        np.linalg.norm(moved - rest, axis=1).mean()
        < 0.25 * np.linalg.norm(points - rest, axis=1).mean()
    )
    eye = head.topology.parts["eye_left"].vertices
    shift = settled.neutral[eye] - head.neutral[eye]
    assert np.ptp(shift, axis=0).max() < 1e-6
    joint = JOINT_NAMES.index("EyeLeft")
    np.testing.assert_allclose(settled.joints[joint] - head.joints[joint], shift[0], atol=1e-6)


def test_a_head_at_rest_stays():
    head = load_head_model().head()
    points = head.landmarks(head.neutral)[:FACE_POINTS].astype(np.float64)
    np.testing.assert_allclose(settle_at_rest(head, points).neutral, head.neutral, atol=1e-6)
