"""Order-2 spherical-harmonic light of pictures, and its removal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ROUNDS: Final = 6
_GREY: Final = 0.75
"""How far the light's colour is drawn to grey: otherwise skin tone leaks into it."""
_RANGE: Final = (0.6, 1.6)
"""Bounds of the shading: normals that the picture does not show are extrapolated."""
_RIDGE: Final = 0.02
_CEILING: Final = 1.35
"""Shading, against its mean of one, from which the light is held down: light cannot clip."""
_CLIPPING: Final = 4.0
"""Weight of that penalty against a sample's own."""
_OUTER_ROUNDS: Final = 6
_PRIOR_VIEWS: Final = (3.0, 0.5)
"""How many views the prior of one albedo counts as against what the views say of a texel that
fewer than three of them show, and that three or more show."""
_DARKEST: Final = 2e-3


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
    out = np.empty((len(x), 9), np.float32)
    out[:, 0], out[:, 1], out[:, 2], out[:, 3] = 1, y, z, x
    out[:, 4], out[:, 5], out[:, 6] = x * y, y * z, 3 * z * z - 1
    out[:, 7], out[:, 8] = x * z, x * x - y * y
    return out


def fit_light(
    colours: NDArray[np.floating],
    normals: NDArray[np.floating],
    weights: NDArray[np.floating] | None = None,
) -> Light:
    """Estimate the light from skin of one albedo, robustly.

    Iteratively reweighted least squares on the absolute residual; the ridge on all but the
    constant keeps the bands small that a frontal view does not determine. Shading above a
    ceiling is penalised (paper 001, the regulariser on max(L, 1), here with mean light one).

    Args:
        colours: `(n, 3)` linear RGB of skin, divided by its albedo where that is known.
        normals: `(n, 3)` unit, camera frame.
        weights: `(n,)` how much each sample counts; all the same when left out.
    """
    basis = harmonics(normals).astype(np.float64)
    values = np.asarray(colours, np.float64)
    trust = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    total = max(float(trust.sum()), 1e-6)
    scale = np.maximum((values * trust[:, None]).sum(axis=0) / total, 1e-6)
    values = values / scale
    ridge = _RIDGE * total * np.diag([0.0] + [1.0] * 8)
    reweighted, held = trust.copy(), np.zeros(len(values))
    solution = np.zeros((basis.shape[1], 3))
    for _ in range(_ROUNDS):
        weighted = basis * reweighted[:, None]
        clipped = basis * (held * reweighted)[:, None]
        right = weighted.T @ values + _CEILING * clipped.sum(axis=0)[:, None]
        solution = np.linalg.solve(basis.T @ (weighted + clipped) + ridge, right)
        shading = basis @ solution
        residual = np.abs(shading - values).mean(axis=1)
        reweighted = trust / np.maximum(residual, 0.03)
        held = _CLIPPING * (shading.mean(axis=1) > _CEILING)
    mean = (basis @ solution * trust[:, None]).sum(axis=0) / total
    solution /= np.where(np.abs(mean) > 1e-6, mean, 1.0)
    grey = solution.mean(axis=1, keepdims=True)
    return Light(_GREY * grey + (1.0 - _GREY) * solution)


def fit_joint_light(
    colours: NDArray[np.floating],
    normals: NDArray[np.floating],
    weights: NDArray[np.floating],
    groups: Sequence[int],
) -> tuple[list[Light], NDArray[np.float64]]:
    """Estimate the light of several pictures of one face, and each picture's gain.

    Pictures of one group share a light that stands still while the head turns, up to a gain per
    picture and channel (exposure and white balance); that tells light from skin. Alternates the
    light (robust, see `fit_light`), the gains (joint least squares on what pictures have in
    common) and, after the first round, the albedo of each texel: the weighted median of what
    the pictures say and of a prior of one albedo (the joint L1 of paper 001, stage 3).

    Args:
        colours: `(f, n, 3)` linear RGB of the same n places of skin in f pictures.
        normals: `(f, n, 3)` unit, camera frame of each picture.
        weights: `(f, n)` in [0, 1], 0 where a picture does not show a place.
        groups: Of each picture.

    Returns:
        The lights, and gains `(f, 3)` whose geometric mean over the pictures is one.
    """
    values = np.maximum(np.asarray(colours, np.float64), _DARKEST)
    trust = np.asarray(weights, np.float64)
    albedo = np.ones_like(values[0])
    lights: list[Light] = []
    gains = np.ones((len(values), 3))
    level = _levels(values, trust)
    for turn in range(_OUTER_ROUNDS):
        even = values / (level[:, None] * albedo)
        shared = {}
        for group in sorted(set(groups)):
            members = np.flatnonzero(np.asarray(groups) == group)
            facing = normals[members].reshape(-1, 3)
            rows = even[members].reshape(-1, 3)
            shared[group] = fit_light(rows, facing, trust[members].ravel())
        lights = [shared[group] for group in groups]
        shading = np.stack([x.shading(n) for x, n in zip(lights, normals, strict=True)])
        gains = relative_gains(np.log(values / shading), trust)
        level = gains * np.exp(np.log(level).mean(axis=0))
        if turn + 1 < _OUTER_ROUNDS:
            albedo = _joint_albedo(values / (level[:, None] * shading), trust)
    return lights, gains


def relative_gains(
    logs: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the gain `(f, 3)` of each picture from what the pictures have in common.

    Robust joint least squares: log colour = log gain + log albedo of the place, the albedo
    eliminated, the geometric mean of the gains one. Pictures without overlap keep a gain of one.

    Args:
        logs: `(f, n, 3)` logarithms of colours.
        weights: `(f, n)`.
    """
    count = len(logs)
    gain = np.zeros((count, 3))
    if count == 1:
        return np.ones((1, 3))
    trust = np.asarray(weights, np.float64)
    robust = trust
    for _ in range(_ROUNDS):
        total = np.maximum(robust.sum(axis=0), 1e-9)
        coupling = robust @ (robust / total).T
        system = np.diag(robust.sum(axis=1)) - coupling
        # The common level is free; a small ridge fixes it and lets lone pictures be.
        system += np.eye(count) * (1e-6 + 1e-4 * np.trace(system) / count) + 1e-3 / count
        mean = (robust[..., None] * logs).sum(axis=0) / total[:, None]
        right = (robust[..., None] * (logs - mean)).sum(axis=1)
        gain = np.linalg.solve(system, right)
        gain -= gain.mean(axis=0)
        centred = logs - gain[:, None]
        mean = (robust[..., None] * centred).sum(axis=0) / total[:, None]
        residual = np.abs(centred - mean).mean(axis=-1)
        robust = trust / np.maximum(residual, 0.03) * 0.03
    return np.exp(gain)


def weighted_median(
    values: NDArray[np.floating], weights: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return the lower weighted median over the first axis of `(f, ...)` values and weights."""
    order = np.argsort(values, axis=0, kind="stable")
    sorted_values = np.take_along_axis(values, order, axis=0)
    sums = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0)
    place = np.argmax(sums >= 0.5 * sums[-1:], axis=0)
    return np.take_along_axis(sorted_values, place[None], axis=0)[0]


def _levels(values: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean colour `(f, 3)` of each picture."""
    total = np.maximum(trust.sum(axis=1), 1e-9)[:, None]
    return np.maximum((values * trust[..., None]).sum(axis=1) / total, _DARKEST)


def _joint_albedo(values: NDArray[np.float64], trust: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the albedo `(n, 3)` of each place against the mean, drawn to one."""
    prior = np.ones_like(values[:1])
    often = (trust > 0).sum(axis=0) >= 3
    weights = np.concatenate([trust, np.where(often, *_PRIOR_VIEWS[::-1])[None]])
    stacked = np.concatenate([values, prior])
    spread = np.repeat(weights[..., None], 3, axis=2)
    return np.asarray(np.clip(weighted_median(stacked, spread), 0.25, 4.0), np.float64)
