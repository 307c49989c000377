"""The light of a clip: an albedo has to be lit like the footage before both can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._lighting import harmonics
from lifemask.geometry import linear_to_srgb, srgb_to_linear

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROUNDS: Final = 5
_RIDGE: Final = 1e-2
_SPREAD: Final = 0.1
"""Relative residual beyond which a pixel counts less: hair, glasses, highlights."""
_SHADES: Final = (0.05, 4.0)
_NEIGHBOURS: Final = 6
"""Training frames on either side of a test frame whose gains are averaged."""


@dataclass(frozen=True)
class Lit:
    """Pixels of skin in one training frame.

    Attributes:
        seen: `(n, 3)` linear RGB in the footage.
        albedo: `(n, 3)` linear RGB of the avatar's texture at the same pixels.
        normals: `(n, 3)` unit, camera frame.
    """

    seen: NDArray[np.float32]
    albedo: NDArray[np.float32]
    normals: NDArray[np.float32]


@dataclass(frozen=True)
class ClipLight:
    """Order-2 spherical-harmonic light of a clip in the camera frame, and its drift.

    Attributes:
        coefficients: `(9, 3)` linear RGB.
        frames: Training frames whose gain was measured, rising.
        gains: Exposure of those frames relative to the clip's light.
    """

    coefficients: NDArray[np.float64]
    frames: tuple[int, ...]
    gains: tuple[float, ...]

    def gain(self, frame: int) -> float:
        """Return the exposure of a test frame, from the training frames around it alone.

        The mean over up to six training frames on either side; beyond the last one, over the
        last six.
        """
        place = int(np.searchsorted(self.frames, frame))
        around = self.gains[max(place - _NEIGHBOURS, 0) : place + _NEIGHBOURS]
        return float(np.mean(around))

    def shade(self, normals: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return `(n, 3)` linear RGB that albedo is multiplied by, for camera-frame unit normals.

        Bounded away from zero, so that what was lit can be divided by it again.

        Args:
            normals: `(n, 3)`.
        """
        return np.clip(harmonics(normals) @ self.coefficients.astype(np.float32), *_SHADES)

    def apply(
        self, albedo: NDArray[np.uint8], normals: NDArray[np.floating], gain: float = 1.0
    ) -> NDArray[np.uint8]:
        """Light a picture of albedo.

        Args:
            albedo: `(height, width, 3)` sRGB.
            normals: `(height, width, 3)` camera frame; zero where there is no surface, which is
                lit like a surface that faces the camera.
            gain: Exposure.

        Returns:
            `(height, width, 3)` uint8 sRGB.
        """
        toward = np.array([0, 0, 1], np.float32)
        flat = np.where(np.any(normals, axis=2, keepdims=True), normals, toward)
        shade = self.shade(flat.reshape(-1, 3)) * gain
        lit = srgb_to_linear(albedo.reshape(-1, 3) / np.float32(255.0)) * shade
        picture = np.rint(255.0 * linear_to_srgb(np.clip(lit, 0.0, 1.0)))
        return picture.astype(np.uint8).reshape(albedo.shape)


def fit_clip_light(frames: Sequence[int], pixels: Sequence[Lit]) -> ClipLight:
    """Estimate the light of a clip from training frames.

    Least squares of seen = albedo × light(normal) in linear RGB, reweighted so that pixels which
    the texture does not explain count less; then one gain for each frame, the median of seen
    over lit.

    Args:
        frames: Their numbers, rising.
        pixels: Of each of those frames.
    """
    seen, albedo, normals = (
        np.concatenate([getattr(one, name) for one in pixels]).astype(np.float64)
        for name in ("seen", "albedo", "normals")
    )
    basis = harmonics(normals).astype(np.float64)
    scale = np.maximum(seen.mean(axis=1, keepdims=True), 1e-3)
    coefficients = np.zeros((basis.shape[1], 3))
    weights = np.ones(len(seen))
    ridge = _RIDGE * np.diag([0.0] + [1.0] * (basis.shape[1] - 1))
    for _ in range(_ROUNDS):
        for channel in range(3):
            rows = basis * (albedo[:, channel] / scale[:, 0])[:, None]
            weighted = rows * weights[:, None]
            left = weighted.T @ rows
            left += ridge * np.trace(left) / len(left)
            target = weighted.T @ (seen[:, channel] / scale[:, 0])
            coefficients[:, channel] = np.linalg.solve(left, target)
        left_over = np.abs(seen - albedo * (basis @ coefficients)).mean(axis=1) / scale[:, 0]
        weights = 1.0 / np.maximum(1.0, left_over / _SPREAD)
    return ClipLight(coefficients, tuple(frames), tuple(_gain(one, coefficients) for one in pixels))


def _gain(one: Lit, coefficients: NDArray[np.float64]) -> float:
    lit = one.albedo * ClipLight(coefficients, (), ()).shade(one.normals)
    ratio = one.seen.mean(axis=1) / np.maximum(lit.mean(axis=1), 1e-4)
    return float(np.median(ratio))
