"""Where a point of the skin lies on a face: distances to lips, brows and lids, by landmarks.

Works on every head whose 478 landmarks are known, so that one painter serves all topologies.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance import sample_bilinear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_STEP: Final = 0.25
"""Millimetres of a chart's cell."""
_MARGIN: Final = 40.0

LIPS: Final = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375,
               291, 409, 270, 269, 267, 0, 37, 39, 40, 185)  # fmt: skip
BROWS: Final = {
    "right": (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    "left": (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
}
"""Upper edge from the temple to the nose, then the lower edge back."""
LIDS: Final = {
    "right": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    "left": (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
}
NOSTRILS: Final = {"right": (79, 238, 20, 60, 75), "left": (309, 458, 250, 290, 305)}
CHEEKS: Final = (50, 280)
JAW: Final = (132, 58, 172, 136, 150, 149, 176, 148, 152,
              377, 400, 378, 379, 365, 397, 288, 361)  # fmt: skip
BEARD: Final = (*JAW, 323, 425, 391, 2, 165, 205, 93)


@dataclass(frozen=True)
class Chart:
    """Points of the skin in millimetres, seen from the front.

    Attributes:
        points: `(n, 3)` mm, head frame of the head at rest.
        landmarks: `(478, 3)` mm.
    """

    points: NDArray[np.float32]
    landmarks: NDArray[np.float32]

    def inside(self, loop: Sequence[int]) -> NDArray[np.float32]:
        """Return how far each point lies within a loop of landmarks, mm `(n,)`; negative outside.

        Points far behind the loop's surface lie outside.
        """
        import cv2

        mask = np.zeros(self._size, np.uint8)
        corners = (self.landmarks[list(loop), :2] - self._origin) / _STEP
        cv2.fillPoly(mask, [np.round(corners * 16).astype(np.int32)], 1, shift=4)
        within = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
        outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
        distance = self._sample(np.asarray(within - outside, np.float32) * _STEP)
        behind = self.landmarks[list(loop), 2].min() - self.points[:, 2]
        return np.where(behind > 25.0, np.minimum(distance, -behind), distance)

    def to_line(self, line: Sequence[int]) -> NDArray[np.float32]:
        """Return the distance of each point from a polyline of landmarks in space, mm `(n,)`."""
        nearest = np.full(len(self.points), np.inf, np.float32)
        ends = self.landmarks[list(line)]
        for start, stop in itertools.pairwise(ends):
            along = stop - start
            length = max(float(along @ along), 1e-6)
            t = np.clip((self.points - start) @ along / length, 0, 1)
            away = self.points - start - t[:, None] * along
            np.minimum(nearest, np.linalg.norm(away, axis=1), out=nearest)
        return nearest

    def to_point(self, place: Sequence[int] | int) -> NDArray[np.float32]:
        """Return the distance from a landmark, or from the mean of several, mm `(n,)`."""
        centre = self.landmarks[np.atleast_1d(place)].mean(axis=0)
        return np.linalg.norm(self.points - centre, axis=1)

    def above_hairline(self) -> NDArray[np.float32]:
        """Return how far each point lies above a usual hairline, mm `(n,)`; negative on the face.

        For heads whose model does not say where hair grows. The line is drawn in profile: over
        the forehead, down the temples, over the ears, then down to the nape.
        """
        top, chin = self.landmarks[10], self.landmarks[152]
        temple, ear = (self.landmarks[list(pair)].mean(axis=0) for pair in ((127, 356), (234, 454)))
        knots = [
            (top[2], top[1] + 9),
            (0.5 * (top[2] + temple[2]), 0.45 * top[1] + 0.55 * temple[1] + 18),
            (ear[2] + 2, temple[1] + 24),
            (ear[2] - 30, temple[1] + 22),
            (ear[2] - 46, 0.5 * (temple[1] + chin[1])),
            (ear[2] - 75, chin[1] + 18),
        ]
        z, y = np.array(knots[::-1], np.float32).T
        above = self.points[:, 1] - np.interp(self.points[:, 2], z, y)
        # Ears stand out farther than the skin in front of them.
        wide = np.abs(self.points[:, 0]) - 1.02 * np.abs(self.landmarks[[234, 454], 0]).mean()
        ears = (wide > 0) & (self.points[:, 1] < temple[1] + 22)
        return np.where(ears, np.minimum(above, -10.0), above).astype(np.float32)

    @cached_property
    def _origin(self) -> NDArray[np.float32]:
        return self.landmarks[:, :2].min(axis=0) - np.float32(_MARGIN)

    @cached_property
    def _size(self) -> tuple[int, int]:
        far = self.landmarks[:, :2].max(axis=0) + np.float32(_MARGIN)
        width, height = np.ceil((far - self._origin) / _STEP).astype(int)
        return int(height), int(width)

    def _sample(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        places = (self.points[:, :2] - self._origin) / np.float32(_STEP)
        return sample_bilinear(picture[..., None], places)[:, 0]


def ramp(value: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    """Return the smooth step from 0 at `low` to 1 at `high`; falls where `high` is lower."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
