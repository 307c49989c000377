"""The 52 shapes of the synthetic head: small local bumps, rigid teeth, lashes with the lids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import COEFFICIENT_NAMES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Topology

EYES = {"Left": np.array([0.032, 0.065, 0.104]), "Right": np.array([-0.032, 0.065, 0.104])}

_SHAPE_PLACES = (
    ("eyeBlink", EYES["Left"] + [0, 0.008, 0.008], [0, -0.008, 0.001]),
    ("eyeLookDown", EYES["Left"] + [0, 0.008, 0.008], [0, -0.003, 0]),
    ("eyeLookIn", EYES["Left"] + [-0.006, 0.008, 0.008], [-0.002, 0, 0]),
    ("eyeLookOut", EYES["Left"] + [0.006, 0.008, 0.008], [0.002, 0, 0]),
    ("eyeLookUp", EYES["Left"] + [0, 0.008, 0.008], [0, 0.003, 0]),
    ("eyeSquint", EYES["Left"] + [0, -0.01, 0.004], [0, 0.004, 0]),
    ("eyeWide", EYES["Left"] + [0, 0.01, 0.006], [0, 0.004, 0]),
    ("brow", EYES["Left"] + [0, 0.024, 0], [0, 0.006, 0]),
    ("cheek", np.array([0.04, 0.025, 0.1]), [0.003, 0.003, 0.004]),
    ("noseSneer", np.array([0.012, 0.035, 0.118]), [0, 0.004, 0.002]),
    ("jaw", np.array([0.0, -0.03, 0.09]), [0, -0.02, -0.004]),
    ("mouth", np.array([0.02, 0.0, 0.1]), [0.004, 0.003, 0.002]),
    ("tongueOut", np.array([0.0, 0.0, 0.1]), [0, 0, 0.02]),
)
"""Prefix of the shape, centre on the subject's left side (m), motion of the centre (m)."""


def bump(points: NDArray, centre, radius: float) -> NDArray[np.float64]:
    """Return 1 at the centre, falling smoothly to 0 at the radius (m)."""
    square = np.sum((points - centre) ** 2, axis=1) / radius**2
    return np.clip(1 - square, 0, None) ** 2


def deltas(points: NDArray[np.float32], topology: Topology) -> NDArray[np.float32]:
    """Return `(52, n_vertices, 3)` m; no two shapes are collinear, sides mirror each other."""
    result = np.zeros((len(COEFFICIENT_NAMES), len(points), 3))
    runs = {name: part.vertices for name, part in topology.parts.items()}
    for delta, name in zip(result, COEFFICIENT_NAMES, strict=True):
        prefix, centre, motion = next(p for p in _SHAPE_PLACES if name.startswith(p[0]))
        motion = _own_motion(name, prefix, np.asarray(motion, np.float64))
        sides = [s for s in (1, -1) if name.endswith("Left" if s > 0 else "Right")] or [1, -1]
        if prefix in ("jaw", "tongueOut"):
            sides = [1]
        for sign in sides:
            flip = np.array([sign, 1, 1])
            falloff = bump(points, centre * flip, 0.045 if prefix == "jaw" else 0.026)
            _apply(delta, falloff, motion * flip, prefix, runs, sign)
    return result.astype(np.float32)


def _own_motion(name: str, prefix: str, motion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the motion of a shared place so that no two shapes are collinear."""
    lateral = {"jawLeft": [0.01, 0, 0], "jawRight": [-0.01, 0, 0], "jawForward": [0, 0, 0.008]}
    if name in lateral:
        return np.array(lateral[name])
    if prefix not in ("mouth", "brow", "cheek"):
        return motion
    base = name.removesuffix("Left").removesuffix("Right")
    bases = [n.removesuffix("Left").removesuffix("Right") for n in COEFFICIENT_NAMES]
    angle = 2.4 * sorted(set(bases)).index(base)
    x, y, z = motion
    return np.array(
        [np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y, z]
    )


def _apply(delta, falloff, motion, prefix, runs, sign) -> None:
    """Add one side of a shape to the parts that it moves."""
    if prefix == "tongueOut":
        delta[runs["tongue"]] += motion
        return
    shell = runs["skin"]
    delta[shell] += falloff[shell, None] * motion
    if prefix == "jaw":
        delta[runs["teeth_lower"]] += 0.8 * motion
        delta[runs["tongue"]] += 0.7 * motion
    if prefix.startswith(("eyeBlink", "eyeLook")):
        lashes = runs["lashes"]
        half = (lashes.stop - lashes.start) // 2
        start = lashes.start if sign > 0 else lashes.start + half
        delta[start : start + half] += 0.7 * np.asarray(motion)
