"""What is seen where the head is not."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.geometry import Camera

    Background = tuple[int, int, int] | NDArray[np.uint8] | None


def studio_background(width: int, height: int) -> NDArray[np.uint8]:
    """Return a soft grey gradient `(height, width, 3)` uint8, brightest behind the head."""
    return _studio(width, height).copy()


@functools.lru_cache(maxsize=4)
def _studio(width: int, height: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:height, 0:width]
    across = (x + 0.5 - 0.5 * width) / max(width, height)
    down = (y + 0.5 - 0.45 * height) / max(width, height)
    fall = np.exp(-2.2 * (across**2 + down**2))
    shade = np.array([52, 55, 60]) + fall[..., None] * np.array([60, 62, 64])
    # An ordered half-step pattern breaks the bands that eight bits leave in a smooth gradient.
    dither = np.array([[0.125, 0.625], [0.875, 0.375]])[y % 2, x % 2]
    return (shade + dither[..., None]).astype(np.uint8)


def fill_background(background: Background, camera: Camera) -> NDArray[np.uint8]:
    """Return the picture `(height, width, 3)` that lies behind the head; the caller may draw on it.

    Raises:
        ValueError: A picture of another size than the camera's.
    """
    shape = (camera.height, camera.width, 3)
    if background is None:
        return studio_background(camera.width, camera.height)
    array = np.asarray(background, np.uint8)
    if array.shape == (3,):
        return np.broadcast_to(array, shape).copy()
    if array.shape != shape:
        raise ValueError(f"background has shape {array.shape}, expected {shape}")
    return array.copy(order="C")
