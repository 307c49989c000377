"""One picture of all 52 shapes of a head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.rendering._renderer import Renderer
from lifemask.rendering._sheets import contact_sheet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.heads import Head

GRID_COLUMNS: Final = 9
_TURN: Final = np.radians(14.0)
"""By which the head is turned, so that depth shows."""
_WIDTH: Final = 0.17
"""Metres across each picture for a head of natural size."""
_DISTANCE: Final = 1.2
_EXTRA: Final = {
    "neutral": (),
    "both blink": ("eyeBlinkLeft", "eyeBlinkRight"),
}


def shape_grid(
    head: Head,
    textures: Mapping[str, NDArray[np.uint8]] | None = None,
    *,
    size: int = 224,
) -> NDArray[np.uint8]:
    """Draw the neutral face, both blinks, and each shape at weight one, with its name.

    `mouthClose` is drawn together with the `jawOpen` that it belongs to.

    Args:
        head: The head.
        textures: See `Renderer`.
        size: Width and height of each picture, pixels.

    Returns:
        `(height, width, 3)` uint8, nine pictures a row.
    """
    renderer = Renderer(head, textures or {}, supersampling=2)
    camera, pose = _front(head, size)
    pictures = []
    for names in grid_weights().values():
        coefficients = np.zeros(COEFFICIENT_COUNT, np.float32)
        coefficients[[COEFFICIENT_INDEX[name] for name in names]] = 1.0
        pictures.append(renderer.render(head.vertices(coefficients), pose=pose, camera=camera))
    return contact_sheet(pictures, columns=GRID_COLUMNS, labels=list(grid_weights()))


def grid_weights() -> dict[str, tuple[str, ...]]:
    """Return which shapes are at weight one in each picture, by its label."""
    weights: dict[str, tuple[str, ...]] = dict(_EXTRA)
    for name in COEFFICIENT_NAMES:
        closed = name == "mouthClose"
        weights[f"{name} + jawOpen" if closed else name] = (name, "jawOpen") if closed else (name,)
    return weights


def _front(head: Head, size: int) -> tuple[Camera, Pose]:
    """Return a camera that sees the face, a little from the side."""
    face = head.neutral[head.topology.masks["face"] > 0.5]
    low, high = face.min(axis=0), face.max(axis=0)
    middle = 0.5 * (low + high) + [0.0, -0.06 * (high[1] - low[1]), 0.0]
    rotation = axis_angle_matrix([0.0, _TURN, 0.0])
    camera = Camera(size, size, size * _DISTANCE / max(_WIDTH, 1.02 * float(high[1] - low[1])))
    return camera, Pose(rotation, np.array([0.0, 0.0, -_DISTANCE]) - rotation @ middle)
