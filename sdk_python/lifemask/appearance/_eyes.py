"""Eyeballs with the person's iris colour, and lashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._noise import periodic_noise
from lifemask.heads import COEFFICIENT_INDEX, IRIS_ANGLE, IRIS_FIRST, JOINT_NAMES, PUPIL_ANGLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_DEFAULT_IRIS: Final = np.array([0.33, 0.23, 0.15], np.float32)
_DEFAULT_SCLERA: Final = np.array([0.80, 0.77, 0.75], np.float32)
_LEAST_RADIUS: Final = 4.0
"""Pixels of iris radius below which its colour cannot be read."""
_FEWEST: Final = 12
"""Pixels that a colour is read from at the least."""
_SHUT: Final = 0.45
"""Blink from which an eye counts as shut."""
_IRIS_SHARE: Final = (15, 65)
"""Percentiles of brightness between which the iris is read: cornea reflects on top of it."""
_IN_SHADE: Final = 1.05
"""How much brighter an iris is than the shade of lids and brows shows it."""
_OWN_WHITE: Final = 0.35
"""Share of the person's own tint in the white of the eye."""
_DARKEST_WHITE: Final = 0.68
"""Least brightness of the white of the eye, share of the usual one."""
_CHEEKS: Final = {"left": (347, 348, 349, 330), "right": (118, 119, 120, 101)}
CHEEKS: Final = (*_CHEEKS["left"], *_CHEEKS["right"])
"""Landmarks on the skin below the eyes."""
_LIDS: Final = {
    "left": (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
    "right": (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
}
_IRIS: Final = {"right": IRIS_FIRST, "left": IRIS_FIRST + 5}
_LASHES: Final = 46
"""Hairs along one strip."""


def iris_and_sclera(
    images: Sequence[NDArray[np.uint8]], fits: Sequence[PhotoFit], cheek: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read both colours, `(3,)` sRGB in [0, 1], from the open eyes of the pictures.

    The iris is read between pupil and limbus, below the shadow of the upper lid and without
    highlights, as the median over all open eyes; where the eyes are too small, plain brown and
    off-white are returned. The eyes of a picture are lit like the cheeks below them, whose colour
    without light is known; what is darker than that is shadow of brows and lids, part of which
    the white keeps.

    Args:
        images: `(h, w, 3)` uint8 sRGB.
        fits: Of each picture.
        cheek: `(3,)` sRGB, the albedo of the cheeks below the eyes.
    """
    irises, whites, levels = [], [], []
    for image, fit in zip(images, fits, strict=True):
        for side in ("left", "right"):
            if fit.coefficients[COEFFICIENT_INDEX[f"eyeBlink{side.capitalize()}"]] > _SHUT:
                continue
            ring, white = _eye_pixels(image, fit.landmarks.pixels, side)
            if len(ring) >= _FEWEST:
                irises.append(_between(ring, *_IRIS_SHARE))
            if len(white) >= _FEWEST:
                whites.append(_between(white, 50, 90))
                levels.append(_level(whites[-1], image, fit.landmarks.pixels, side, cheek))
    white = np.median(whites, axis=0) if whites else _DEFAULT_SCLERA
    # The white of the eye is the grey card of the picture: it carries the colour of the light.
    # How bright it is, its shadow decides, so the brightness of the iris is taken as it is.
    tint = white / max(float(white.mean()), 0.05) * _DEFAULT_SCLERA.mean()
    cast = np.clip(_DEFAULT_SCLERA / np.maximum(tint, 0.1), 0.8, 1.25) ** 0.7
    ring = np.median(irises, axis=0) * cast * _IN_SHADE if irises else _DEFAULT_IRIS
    sclera = _OWN_WHITE * tint * cast**0.5 + (1 - _OWN_WHITE) * _DEFAULT_SCLERA
    if levels:
        sclera = sclera * np.clip(np.median(levels), _DARKEST_WHITE, 1.0)
    return np.clip(ring, 0.02, 0.8).astype(np.float32), sclera.astype(np.float32)


def paint_eye(
    texels: Texels,
    head: Head,
    side: str,
    iris: NDArray[np.float32],
    sclera: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the eyeball's texels `(n, 3)` sRGB: pupil, fibres, limbus, sclera.

    Args:
        texels: Of that eye.
        head: Whose eyeball gives the directions.
        side: `"left"` or `"right"`.
        iris: `(3,)` sRGB.
        sclera: `(3,)` sRGB.
    """
    centre = head.joints[JOINT_NAMES.index("EyeLeft" if side == "left" else "EyeRight")]
    away = texels.spread(head.neutral) - centre
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    angle = np.arccos(np.clip(away[:, 2], -1, 1))
    azimuth = np.arctan2(away[:, 1], away[:, 0]) / (2 * np.pi)
    r = angle / IRIS_ANGLE
    pupil = PUPIL_ANGLE / IRIS_ANGLE
    seed = 3 if side == "left" else 4
    fibres = periodic_noise(azimuth, r, (150, 3), seed) + 0.6 * periodic_noise(
        azimuth, r, (48, 6), seed + 2
    )
    collar = np.exp(-(((r - pupil - 0.16) / 0.12) ** 2))
    shade = 0.97 + 0.16 * fibres + 0.16 * collar
    shade *= 1 - 0.62 * _ramp(r, 0.80, 1.02)
    colour = iris * shade[:, None]
    colour = _mix(colour, np.array([0.012, 0.010, 0.010]), 1 - _ramp(r, pupil - 0.05, pupil + 0.05))
    red = 0.06 * _ramp(angle, 0.75, 1.3) + 0.012 * periodic_noise(azimuth, r / 4, (40, 5), seed + 7)
    white = sclera * (1 - np.clip(red, 0, 0.3)[:, None] * np.array([0.15, 1.0, 1.1]))
    return np.clip(_mix(colour, white, _ramp(r, 0.95, 1.07)), 0, 1).astype(np.float32)


def paint_lashes(texels: Texels, seed: int = 0) -> NDArray[np.float32]:
    """Return the coverage `(n,)` in [0, 1] of single hairs along the strips."""
    along, tip = texels.mask("lash_along"), texels.mask("lash_tip")
    lower = texels.mask("lash_lower") > 0.5
    random = np.random.default_rng(seed)
    offset = random.uniform(-0.35, 0.35, _LASHES + 2)
    length = random.uniform(0.55, 1.0, _LASHES + 2)
    lean = random.uniform(-1.2, 1.2, _LASHES + 2)
    reach = np.where(lower, 0.42, 0.8)
    position = along * _LASHES
    cell = np.floor(position).astype(int)
    coverage = np.zeros(len(along), np.float32)
    for step in (-1, 0, 1):
        hair = np.clip(cell + step, 0, _LASHES) + 1
        middle = hair - 0.5 + offset[hair] + lean[hair] * tip
        t = tip / (length[hair] * reach)
        width = np.where(lower, 0.20, 0.30) * (1 - t)
        edge = np.clip((width - np.abs(position - middle)) / 0.10 + 0.5, 0, 1) * (t < 1)
        coverage = np.maximum(coverage, edge)
    return coverage.astype(np.float32)


def _eye_pixels(
    image: NDArray[np.uint8], points: NDArray[np.float32], side: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return pixels `(n, 3)` of the iris ring and of the white, inside the lids."""
    import cv2

    centre = points[_IRIS[side]]
    radius = float(
        np.linalg.norm(points[_IRIS[side] + 1 : _IRIS[side] + 5] - centre, axis=1).mean()
    )
    empty = np.zeros((0, 3), np.float32)
    if radius < _LEAST_RADIUS:
        return empty, empty
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points[list(_LIDS[side])]).astype(np.int32)], 1)
    steps = max(1, round(0.25 * radius))
    mask = cv2.erode(mask, np.ones((steps, steps)))
    rows, columns = np.nonzero(mask)
    distance = np.hypot(columns + 0.5 - centre[0], rows + 0.5 - centre[1]) / radius
    colours = image[rows, columns].astype(np.float32) / np.float32(255)
    below = rows + 0.5 > centre[1] - 0.15 * radius
    return colours[(distance > 0.48) & (distance < 0.88) & below], colours[distance > 1.2]


def _level(
    white: NDArray[np.float32],
    image: NDArray[np.uint8],
    points: NDArray[np.float32],
    side: str,
    cheek: NDArray[np.float32],
) -> float:
    """Return how bright the white would be in the light of the cheek, of the usual white.

    Colours are encoded, in which a ratio of lights is nearly a ratio of values.
    """
    places = np.floor(points[list(_CHEEKS[side])]).astype(int)
    height, width = image.shape[:2]
    columns, rows = np.clip(places[:, 0], 0, width - 1), np.clip(places[:, 1], 0, height - 1)
    lit = float(np.median(image[rows, columns].mean(axis=1))) / 255.0
    return float(white.mean() * cheek.mean() / max(lit, 0.05) / _DEFAULT_SCLERA.mean())


def _between(colours: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    """Return the mean colour between two percentiles of brightness."""
    bright = colours.mean(axis=1)
    between = (bright >= np.percentile(bright, low)) & (bright <= np.percentile(bright, high))
    return colours[between].mean(axis=0).astype(np.float32)


def _ramp(value: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    t = np.clip((value - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _mix(
    a: NDArray[np.floating], b: NDArray[np.floating], t: NDArray[np.floating]
) -> NDArray[np.floating]:
    return a * (1 - t[:, None]) + b * t[:, None]
