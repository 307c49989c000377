"""Order-2 spherical-harmonic light of a picture, and its removal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROUNDS: Final = 6
_GREY: Final = 0.75
"""How far the light's colour is drawn to grey: otherwise skin tone leaks into it."""
_RANGE: Final = (0.62, 1.5)
"""Bounds of the shading: normals that the picture does not show are extrapolated."""
_RIDGE: Final = 0.02


@dataclass(frozen=True)
class Light:
    """Shading as a function of the normal, `H(n) . coefficients`.

    Attributes:
        coefficients: `(9, 3)` linear RGB; the mean shading over the face is one.
    """

    coefficients: NDArray[np.float64]

    def shading(self, normals: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return `(n, 3)` shading for camera-frame unit normals `(n, 3)`."""
        raw = harmonics(normals) @ self.coefficients.astype(np.float32)
        return np.clip(raw, *_RANGE)


def harmonics(normals: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return `(n, 9)`: 1, y, z, x, xy, yz, 3z^2 - 1, xz, x^2 - y^2 of unit normals `(n, 3)`."""
    x, y, z = np.asarray(normals, np.float32).T
    one = np.ones_like(x)
    return np.stack([one, y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y], axis=1)


def fit_light(colours: NDArray[np.floating], normals: NDArray[np.floating]) -> Light:
    """Estimate the light from skin of one albedo, robustly.

    Iteratively reweighted least squares on the absolute residual; the ridge on all but the
    constant keeps the bands small that a frontal view does not determine.

    Args:
        colours: `(n, 3)` linear RGB of skin.
        normals: `(n, 3)` unit, camera frame.
    """
    basis = harmonics(normals).astype(np.float64)
    values = np.asarray(colours, np.float64)
    scale = np.maximum(values.mean(axis=0), 1e-6)
    values = values / scale
    ridge = _RIDGE * len(values) * np.diag([0.0] + [1.0] * 8)
    weights = np.ones(len(values))
    solution = np.zeros((basis.shape[1], 3))
    for _ in range(_ROUNDS):
        weighted = basis * weights[:, None]
        solution = np.linalg.solve(basis.T @ weighted + ridge, weighted.T @ values)
        residual = np.abs(basis @ solution - values).mean(axis=1)
        weights = 1.0 / np.maximum(residual, 0.03)
    solution /= np.maximum((basis @ solution).mean(axis=0), 1e-6)
    grey = solution.mean(axis=1, keepdims=True)
    return Light(_GREY * grey + (1.0 - _GREY) * solution)
