"""Filling what was not measured: push-pull over an image pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BROAD: Final = 4.0
"""Standard deviation, pixels, at which a blur still is as good as exact."""


def push_pull(
    values: NDArray[np.floating], weights: NDArray[np.floating], levels: int = 11
) -> NDArray[np.float32]:
    """Extend weighted values smoothly over the whole picture (Gortler et al. 1996).

    Args:
        values: `(h, w, k)`.
        weights: `(h, w)` in [0, 1], 0 where nothing was measured.
        levels: Most levels of the pyramid.

    Returns:
        `(h, w, k)` float32: equal to `values` where the weight is 1, and elsewhere a blend with
        what coarser levels know.
    """
    sums = [np.asarray(values, np.float32) * np.asarray(weights, np.float32)[..., None]]
    totals = [np.asarray(weights, np.float32)]
    while len(sums) < levels and max(totals[-1].shape) > 1:
        half = [max(side // 2, 1) for side in totals[-1].shape]
        total, summed = shrink(totals[-1], *half) * 4.0, shrink(sums[-1], *half) * 4.0
        scale = np.minimum(1.0, 1.0 / np.maximum(total, 1e-9))
        totals.append(np.asarray(total * scale, np.float32))
        sums.append(np.asarray(summed * scale[..., None], np.float32))
    filled = sums[-1] / np.maximum(totals[-1], 1e-9)[..., None]
    for total, summed in zip(totals[-2::-1], sums[-2::-1], strict=True):
        filled = summed + (1.0 - total)[..., None] * grow(filled, *total.shape)
    return np.asarray(filled, np.float32)


def shrink(picture: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """Return a picture `(h, w[, k])` at a smaller size, averaged over areas."""
    return _resized(picture, height, width, area=True)


def grow(picture: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """Return a picture `(h, w[, k])` at a larger size, interpolated linearly."""
    return _resized(picture, height, width, area=False)


def blur(picture: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur with a standard deviation in texels.

    Broad ones work on a smaller picture, whose own averaging is taken off their width.
    """
    import cv2

    height, width = picture.shape[:2]
    factor = 1
    while sigma / (2 * factor) >= _BROAD and not (height | width) & (2 * factor - 1):
        factor *= 2
    if factor == 1:
        whole = cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), sigma)
        return np.asarray(whole, np.float32)
    small = shrink(picture, height // factor, width // factor)
    # Variances of the box that shrinks, 1/12, and of the tent that grows, 1/6.
    narrower = float(np.sqrt((sigma / factor) ** 2 - 0.25))
    blurred = np.asarray(cv2.GaussianBlur(small, (0, 0), narrower), np.float32)
    return grow(blurred.reshape(small.shape), height, width)


def _resized(
    picture: NDArray[np.floating], height: int, width: int, *, area: bool
) -> NDArray[np.float32]:
    import cv2

    rule = cv2.INTER_AREA if area else cv2.INTER_LINEAR
    resized = cv2.resize(np.asarray(picture, np.float32), (width, height), interpolation=rule)
    # OpenCV drops a last axis of length one.
    return np.asarray(resized, np.float32).reshape(height, width, *picture.shape[2:])
