"""Whether the clips of a build show one and the same person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.avatar._capture_choice import unrest
from lifemask.tracking import FACE_POINTS, interocular_pixels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.avatar._evidence import Picture
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

STRANGERS: Final = 0.009
"""Mean difference, share of the inter-ocular distance, of what the common head leaves over in two
clips. Halves of four real clips differed by 0.002 to 0.007, clips of different people by 0.011 to
0.014."""

_CALM: Final = 5
_FEWEST: Final = 3
_FACING: Final = np.deg2rad(20.0)
"""Largest yaw and pitch of a frame that is compared: what one head leaves over changes with the
direction, so a clip that turns would look like somebody else beside one that does not."""


def strangest_clips(
    head: Head, pictures: Sequence[Picture], fits: Sequence[PhotoFit]
) -> tuple[float, int, int]:
    """Compare what one head for all leaves over in each clip.

    Two people fitted with one identity pull it to the middle, and the landmarks of each deviate
    from it by the same amount in opposite directions, frame after frame. What the model cannot
    show of one person deviates alike in all of that person's clips and cancels. Calm frames only,
    because expressions leave something over too. Photos are not compared: one picture is not
    enough to tell a person's deviation from that of the expression.

    Args:
        head: Of the common identity, without personal offsets.
        pictures: Of the build.
        fits: One for each picture.

    Returns:
        The largest difference, share of the inter-ocular distance, and the numbers of the two
        inputs; 0 and -1 where there are not two clips to compare.
    """
    left_over: dict[int, NDArray[np.float64]] = {}
    clips = sorted({one.source for one in pictures if one.place is not None})
    for source in clips:
        own = [
            i for i, one in enumerate(pictures) if one.source == source and _faces_camera(fits[i])
        ]
        calm = sorted(own, key=lambda i: unrest(pictures[i].face))[:_CALM]
        if len(calm) >= _FEWEST:
            left_over[source] = np.mean([_residual(head, fits[i]) for i in calm], axis=0)
    found = (0.0, -1, -1)
    for first in left_over:
        for second in left_over:
            if first < second:
                apart = np.linalg.norm(left_over[first] - left_over[second], axis=1).mean()
                found = max(found, (float(apart), first, second))
    return found


def _faces_camera(fit: PhotoFit) -> bool:
    forward = fit.pose.rotation[:, 2]
    yaw, pitch = np.arctan2(forward[0], forward[2]), np.arcsin(np.clip(forward[1], -1.0, 1.0))
    return bool(max(abs(yaw), abs(pitch)) < _FACING)


def _residual(head: Head, fit: PhotoFit) -> NDArray[np.float64]:
    """Return `(468, 2)` head minus landmarks without roll, share of the inter-ocular distance."""
    points = head.landmarks(head.vertices(fit.coefficients, gaze=fit.gaze)).astype(np.float64)
    seen = fit.landmarks.pixels[:FACE_POINTS]
    off = fit.camera.project(fit.pose.apply(points[:FACE_POINTS])) - seen
    roll = np.arctan2(fit.pose.rotation[1, 0], fit.pose.rotation[0, 0])
    cosine, sine = np.cos(roll), np.sin(roll)
    upright = off @ np.array([[cosine, -sine], [sine, cosine]])
    return np.asarray(upright / interocular_pixels(points, fit.pose, fit.camera), np.float64)
