"""What was observed in one clip: the landmarks and scores of its frames."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_NAMES, load_head_model
from lifemask.tracking import FACE_POINTS, FaceLandmarks, facing_weights, guess_pose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NOT_COUNTED: Final = -1
_CORNERS: Final = [33, 263]
_SCALARS: Final = {
    "width": int, "height": int, "rate_hz": float, "promised": int, "truncated": bool,
}  # fmt: skip
_UPPER_LIP, _LOWER_LIP = 13, 14


@dataclass(frozen=True)
class Clip:
    """Landmarks and scores of the frames of one clip, in order of time.

    Attributes:
        width: Of the upright picture, pixels.
        height: Likewise.
        rate_hz: Mean frame rate that the file states.
        promised: Number of frames that the file's header states; 0 where it does not.
        truncated: Whether the file ends well before that.
        numbers: `(n,)` int32, the frames' places in the file.
        times: `(n,)` float64 s, presentation times.
        points: `(n, 478, 3)` float32, see `FaceLandmarks`; NaN where no face was found.
        scores: `(n, 52)` float32, the landmarker's own guess of the coefficients.
        sharpness: `(n,)` float32, see `FrameScores`; NaN where no face was found.
        luminance: `(n,)` float32, likewise.
        colours: `(n, 468, 3)` float16, likewise.
        dark: `(n,)` bool, frames that are black.
        others: `(n,)` float32, size of the largest other face divided by that of the face that is
            followed: 0 where there is none, `NOT_COUNTED` in the many frames not searched for one.
    """

    width: int
    height: int
    rate_hz: float
    promised: int
    truncated: bool
    numbers: NDArray[np.int32]
    times: NDArray[np.float64]
    points: NDArray[np.float32]
    scores: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    luminance: NDArray[np.float32]
    colours: NDArray[np.float16]
    dark: NDArray[np.bool_]
    others: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)

    @functools.cached_property
    def seen(self) -> NDArray[np.bool_]:
        """`(n,)` whether a face was found."""
        return np.isfinite(self.points[:, 0, 0])

    @functools.cached_property
    def faces(self) -> list[FaceLandmarks | None]:
        """Landmarks of the frames, None where no face was found."""
        return [self.face(i) if seen else None for i, seen in enumerate(self.seen)]

    @functools.cached_property
    def rotations(self) -> NDArray[np.float64]:
        """`(n, 3, 3)` of the head against the camera, by the average head; NaN where not seen."""
        neutral = load_head_model().landmark_model().neutral[:FACE_POINTS]
        camera = Camera(self.width, self.height, float(max(self.width, self.height)))
        even = np.ones(FACE_POINTS)
        rotations = np.full((len(self), 3, 3), np.nan)
        for i in np.flatnonzero(self.seen):
            seen = self.points[i, :FACE_POINTS]
            rotations[i] = guess_pose(neutral, seen, even, camera).rotation
        return rotations

    @property
    def yaw(self) -> NDArray[np.float64]:
        """`(n,)` rad, positive toward the person's left; NaN where no face was found."""
        return np.arctan2(self.rotations[:, 0, 2], self.rotations[:, 2, 2])

    @property
    def pitch(self) -> NDArray[np.float64]:
        """`(n,)` rad, positive upward; NaN where no face was found."""
        return np.arcsin(np.clip(self.rotations[:, 1, 2], -1.0, 1.0))

    @functools.cached_property
    def facing(self) -> NDArray[np.float64]:
        """`(n, 468)` in [0, 1], how squarely the camera sees each face point."""
        neutral = load_head_model().landmark_model().neutral[:FACE_POINTS]
        turned = np.where(np.isfinite(self.rotations), self.rotations, np.eye(3))
        return np.stack([facing_weights(neutral, rotation) for rotation in turned])

    @property
    def mouth_open(self) -> NDArray[np.float64]:
        """`(n,)` gap between the lips, share of the distance of the outer eye corners."""
        gap = np.linalg.norm(self.points[:, _UPPER_LIP] - self.points[:, _LOWER_LIP], axis=1)
        corners = self.points[:, _CORNERS]
        return gap / np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1)

    def face(self, index: int) -> FaceLandmarks:
        """Return the landmarks of a frame in which a face was found."""
        scores = dict(zip(COEFFICIENT_NAMES, self.scores[index].tolist(), strict=True))
        return FaceLandmarks(self.points[index], self.width, self.height, scores)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the content as arrays by name, for `from_arrays`."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Clip:
        """Rebuild what `to_arrays` gave.

        Raises:
            KeyError: An array is missing.
        """
        values: dict[str, Any] = {field.name: arrays[field.name] for field in fields(cls)}
        for name, kind in _SCALARS.items():
            values[name] = kind(values[name])
        return cls(**values)
