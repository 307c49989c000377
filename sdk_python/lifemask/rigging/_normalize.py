"""Take size, place, in-plane turn and a person's own neutral face out of landmarks."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.tracking import FACE_POINTS, LANDMARK_COUNT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lifemask.heads import LandmarkModel

_STEADY: Final = 0.0012
"""Metres of expression movement (root mean square over the 52 shapes) at which a landmark counts
half as much for the pose as one that never moves."""

_OUTER_CORNERS: Final = (33, 263)

_LOW_PASS: Final = 0.7
"""Scale below which a picture is blurred before it is made smaller."""

CROP_CENTRE: Final = (0.0, -0.5)
"""Middle of a face crop in aligned coordinates: below the eyes, about the tip of the nose."""

CROP_SIDE: Final = 1.9
"""Side of a face crop, distances of the outer eye corners: from the brows to an open jaw."""


@dataclass(frozen=True)
class LandmarkNormalizer:
    """Aligns landmarks in a picture with a template face.

    The pose is a weak perspective, solved in closed form from the landmarks that expressions move
    little: a weighted affine fit of the template, then the nearest scaled rotation to it. Size,
    place and the turn about the viewing direction are taken out; what is left of the pose, the
    direction from which the face is seen, stays in the result.

    Attributes:
        template: `(478, 3)` float64, the mean neutral face in the head frame; origin between the
            outer eye corners, unit their distance.
        weights: `(478,)` float64, how much each landmark counts for the pose.
    """

    template: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def from_model(cls, model: LandmarkModel) -> LandmarkNormalizer:
        """Derive template and weights from a head model."""
        corners = model.neutral[list(_OUTER_CORNERS)]
        unit = float(np.linalg.norm(corners[1] - corners[0]))
        movement = np.mean(np.sum(model.expressions**2, axis=-1), axis=0)
        weights = 1.0 / (1.0 + movement / _STEADY**2)
        weights[FACE_POINTS:] = 0.0
        return cls((model.neutral - corners.mean(axis=0)) / unit, weights / weights.sum())

    def __call__(
        self, points: ArrayLike, neutral: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """Normalise landmarks.

        Args:
            points: `(..., 478, 2)` or more columns, of which the first two are pixels: x right,
                y down, square.
            neutral: `(478, 3)` of `neutral_offset`, the person's own difference from the
                template, which is then taken out as well.

        Returns:
            `(..., 478, 2)` float32: x toward the subject's left, y up, unit the distance of the
            outer eye corners, origin between them.

        Raises:
            ValueError: Wrong shape, a value that is not finite, or points that span no face.
        """
        pixels = checked_points(points)
        aligned, rotation = self._align(pixels)
        if neutral is not None:
            aligned = aligned - neutral @ np.swapaxes(rotation, -1, -2)
        return aligned.astype(np.float32)

    def neutral_offset(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return how a neutral face differs from the template, `(..., 478, 3)`.

        Each landmark's difference is taken as parallel to the picture: a person seen from the
        front is known best.

        Args:
            points: As for a call; of a face without expression that looks at the camera.
        """
        aligned, rotation = self._align(checked_points(points))
        return (aligned - self.template @ np.swapaxes(rotation, -1, -2)) @ rotation

    def similarity(self, points: ArrayLike) -> NDArray[np.float64]:
        """Return `(2, 3)` from pixels (x right, y down) to the aligned coordinates of a call.

        Args:
            points: `(478, 2)` or more columns.
        """
        array = np.asarray(points, np.float64)
        aligned, _ = self._align(checked_points(array))
        known = np.c_[array[:, :2], np.ones(len(array))]
        return np.linalg.lstsq(known, aligned, rcond=None)[0].T

    def crop(
        self, picture: NDArray[np.uint8], points: ArrayLike, size: int, margin: float = 1.0
    ) -> NDArray[np.uint8]:
        """Cut out the face, upright and in a fixed size.

        Args:
            picture: `(height, width, 3)` uint8 sRGB.
            points: `(478, 2)` or more columns, pixels of the picture.
            size: Side of the result, pixels.
            margin: How much more than the usual crop is shown.

        Returns:
            `(size, size, 3)` uint8; where the picture ends its border goes on.
        """
        import cv2

        matrix = self.similarity(points)
        pixels_per_unit = size / (CROP_SIDE * margin)
        place = pixels_per_unit * np.array([[1.0, 0.0], [0.0, -1.0]])
        middle = (size - 1) / 2 - place @ np.asarray(CROP_CENTRE)
        moved = place @ matrix
        moved[:, 2] += middle
        shrink = float(np.sqrt(abs(np.linalg.det(moved[:, :2]))))
        if shrink < _LOW_PASS:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 / shrink), np.uint8)
        return np.asarray(
            cv2.warpAffine(
                picture,
                moved,
                (size, size),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )

    def _align(
        self, pixels: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return aligned points `(..., 478, 2)` and two rows of their rotation `(..., 2, 3)`."""
        affine = self._gain @ (pixels * (1.0, -1.0))
        rows, scale = _nearest_scaled_rotation(np.swapaxes(affine[..., :3, :], -1, -2))
        turn = _twist(rows)
        moved = (pixels * (1.0, -1.0) - affine[..., 3:, :]) / scale[..., None, None]
        return moved @ turn, np.swapaxes(turn, -1, -2) @ rows

    @functools.cached_property
    def _gain(self) -> NDArray[np.float64]:
        """`(4, 478)`: weighted least squares of an affine camera."""
        columns = np.c_[self.template, np.ones(len(self.template))]
        weighted = columns * self.weights[:, None]
        return np.linalg.solve(columns.T @ weighted, weighted.T)


def checked_points(points: ArrayLike) -> NDArray[np.float64]:
    """Return the first two columns of landmarks, centred, as float64.

    Raises:
        ValueError: Wrong shape, a value that is not finite, or points that all lie on one line.
    """
    array = np.asarray(points, np.float64)
    if array.ndim < 2 or array.shape[-2] != LANDMARK_COUNT or array.shape[-1] < 2:
        raise ValueError(f"landmarks have shape {array.shape}, expected ({LANDMARK_COUNT}, 2)")
    pixels = array[..., :2]
    if not np.all(np.isfinite(pixels)):
        raise ValueError("landmarks contain values that are not finite")
    centred = pixels - pixels.mean(axis=-2, keepdims=True)
    spread = np.linalg.det(np.swapaxes(centred, -1, -2) @ centred)
    if np.any(spread <= 1e-12 * np.sum(centred**2, axis=(-1, -2)) ** 2):
        raise ValueError("landmarks span no face: they coincide or lie on one line")
    return centred


def _nearest_scaled_rotation(
    affine: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two orthonormal rows nearest to `(..., 2, 3)`, and the scale `(...)`.

    Polar decomposition by the closed square root of a symmetric 2 x 2 matrix.
    """
    gram = affine @ np.swapaxes(affine, -1, -2)
    root_of_det = np.sqrt(np.maximum(np.linalg.det(gram), 0.0))
    trace = gram[..., 0, 0] + gram[..., 1, 1]
    root = gram + root_of_det[..., None, None] * np.eye(2)
    root = root / np.sqrt(trace + 2.0 * root_of_det)[..., None, None]
    return np.linalg.solve(root, affine), 0.5 * (root[..., 0, 0] + root[..., 1, 1])


def _twist(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the turn `(..., 2, 2)` about the viewing direction of a rotation's first two rows.

    Swing-twist decomposition: what remains is the smallest rotation that brings the viewing
    direction to where it is, so nothing jumps at any pose.
    """
    angle = np.arctan2(rows[..., 1, 0] - rows[..., 0, 1], rows[..., 0, 0] + rows[..., 1, 1])
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack(
        [np.stack([cosine, -sine], axis=-1), np.stack([sine, cosine], axis=-1)], axis=-2
    )
