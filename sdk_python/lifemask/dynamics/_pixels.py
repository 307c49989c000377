"""Pictures as depth-to-space takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def unshuffled(pictures: NDArray[Any]) -> NDArray[Any]:
    """Return pictures `(n, 2 h, 2 w, c)` as `(n, h, w, 4 c)`, as before depth-to-space (CRD)."""
    count, height, width, channels = pictures.shape
    parts = pictures.reshape(count, height // 2, 2, width // 2, 2, channels)
    parts = parts.transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(parts.reshape(count, height // 2, width // 2, 4 * channels))


def shuffled(pictures: NDArray[Any]) -> NDArray[Any]:
    """Undo `unshuffled`."""
    count, height, width, channels = pictures.shape
    parts = pictures.reshape(count, height, width, channels // 4, 2, 2)
    parts = parts.transpose(0, 1, 4, 2, 5, 3)
    return np.ascontiguousarray(parts.reshape(count, 2 * height, 2 * width, channels // 4))
