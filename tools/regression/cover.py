"""What stands around and before a synthetic face, and what a camera does to the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation.synthetic._room import draw_backdrop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._complexion import Complexion
    from lifemask.geometry import Camera

_FOREHEAD: Final = (127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356)
"""Landmarks along the upper outline, from the subject's right temple to the left one."""

_BROW: Final = 9
_EYES: Final = ((33, 133, 159, 145), (362, 263, 386, 374))
_BRIDGE: Final = (133, 362)
_CHIN, _TOP = 152, 10


def room(
    rng: np.random.Generator, camera: Camera, neck: NDArray[np.floating], chin: float
) -> NDArray[np.uint8]:
    """Draw a backdrop; one in four is a plain wall."""
    if rng.random() < 0.25:
        colour = np.clip(255 * (rng.uniform(0.05, 0.95) + 0.05 * rng.standard_normal(3)), 0, 255)
        return np.full((camera.height, camera.width, 3), colour, np.uint8)
    return draw_backdrop(rng, camera, neck, chin)


def cover(
    picture: NDArray[np.uint8],
    points: NDArray[np.floating],
    look: Complexion,
    seed: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Paint hair, glasses and hands over a face.

    Args:
        picture: `(h, w, 3)` uint8.
        points: `(478, 2)` pixels of the head's landmarks.
        look: Colours of the person.
        seed: Of the person, who keeps hairstyle and glasses.
        rng: Source of chance, for what comes and goes.
    """
    own = np.random.default_rng([seed, 0xC0])
    styled, glasses = own.random() < 0.7, own.random() < 0.25
    painted = picture.copy()
    if styled:
        _hair(painted, points, look, own)
    if glasses:
        _glasses(painted, points, own)
    if rng.random() < 0.05:
        _hand(painted, points, look, rng)
    return painted


def _hair(
    picture: NDArray[np.uint8],
    points: NDArray[np.floating],
    look: Complexion,
    own: np.random.Generator,
) -> None:
    import cv2

    rim = points[list(_FOREHEAD)]
    up = points[_TOP] - points[_CHIN]
    brow = points[_BROW]
    inward = own.uniform(0.0, 0.35) + 0.06 * own.standard_normal(len(rim))
    hairline = (
        rim
        + np.clip(inward, 0, 0.5)[:, None]
        * (brow - rim)
        * np.clip(np.abs((rim - brow) @ up / (up @ up)), 0.05, 1)[:, None]
    )
    outward = rim + (rim - brow) * own.uniform(0.15, 0.5) + own.uniform(0.2, 0.45) * up
    shape = np.zeros(picture.shape[:2], np.float32)
    cv2.fillPoly(shape, [np.round(np.concatenate([hairline, outward[::-1]])).astype(np.int32)], 1)
    shape = cv2.GaussianBlur(shape, (0, 0), own.uniform(0.6, 1.6))[..., None]
    streaks = own.standard_normal((6, 40, 1)).astype(np.float32)
    streaks = cv2.resize(streaks, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)[..., None]
    colour = 255 * look.hair * own.uniform(0.7, 1.3) * (1 + 0.15 * streaks)
    picture[:] = np.clip(picture + shape * (colour - picture), 0, 255).astype(np.uint8)


def _glasses(
    picture: NDArray[np.uint8], points: NDArray[np.floating], own: np.random.Generator
) -> None:
    import cv2

    colour = (own.uniform(0, 110) + own.uniform(-15, 15, 3)).clip(0, 255)
    width, tall, wide = own.uniform(0.8, 2.6), own.uniform(0.55, 0.85), own.uniform(0.66, 0.85)
    layer, tint = picture.copy(), own.uniform(0.0, 0.12)
    middles = []
    for eye in _EYES:
        corners = points[list(eye[:2])]
        middle, along = corners.mean(axis=0), corners[1] - corners[0]
        size = float(np.linalg.norm(along))
        angle = float(np.degrees(np.arctan2(along[1], along[0])))
        box = ((float(middle[0]), float(middle[1] + 0.1 * size)), (2 * wide * size,
               2 * tall * size), angle)  # fmt: skip
        cv2.ellipse(layer, box, (20, 20, 25), -1)
        middles.append(box)
    picture[:] = cv2.addWeighted(layer, tint, picture, 1 - tint, 0)
    thick = max(1, round(width))
    for box in middles:
        cv2.ellipse(picture, box, colour.tolist(), thick, cv2.LINE_AA)
    ends = np.round(points[list(_BRIDGE)]).astype(int)
    cv2.line(picture, ends[0].tolist(), ends[1].tolist(), colour.tolist(), thick, cv2.LINE_AA)


def _hand(
    picture: NDArray[np.uint8],
    points: NDArray[np.floating],
    look: Complexion,
    rng: np.random.Generator,
) -> None:
    """Put a few fingers before a cheek, the chin or the forehead."""
    import cv2

    size = float(np.linalg.norm(points[_TOP] - points[_CHIN]))
    at = points[int(rng.choice([50, 280, 199, 10, 215, 435]))] + rng.normal(0, 0.08 * size, 2)
    angle = rng.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    colour = 255 * look.skin * rng.uniform(0.5, 1.0)
    for finger in range(int(rng.integers(1, 5))):
        middle = at + (finger * 0.11 * size) * across + rng.normal(0, 0.02 * size, 2)
        box = (tuple(map(float, middle)), (0.55 * size, 0.1 * size), float(np.degrees(angle)))
        cv2.ellipse(picture, box, (colour * (1 - 0.05 * finger)).tolist(), -1, cv2.LINE_AA)


def develop(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return what a webcam makes of a picture: blur, exposure, noise, compression."""
    import cv2

    softness = float(rng.uniform(0.0, 1.1))
    if softness > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), softness), np.uint8)
    levels = np.linspace(0, 1, 256) ** np.exp(0.2 * rng.standard_normal())
    gains = np.exp(0.12 * rng.standard_normal() + 0.04 * rng.standard_normal(3))
    noise = 255 * rng.uniform(0, 0.022) * rng.standard_normal(picture.shape)
    tables = 255 * levels[:, None] * gains
    shown = np.stack([tables[picture[..., k], k] for k in range(3)], axis=-1) + noise
    shown = np.clip(shown, 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [int(cv2.IMWRITE_JPEG_QUALITY), int(rng.integers(45, 95))]
        shown = np.asarray(cv2.imdecode(cv2.imencode(".jpg", shown, quality)[1], 1), np.uint8)
    return shown
