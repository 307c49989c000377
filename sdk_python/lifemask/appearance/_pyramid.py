"""Filling what was not measured: push-pull over an image pyramid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    import cv2

    sums = [np.asarray(values, np.float32) * weights[..., None].astype(np.float32)]
    totals = [np.asarray(weights, np.float32)]
    while len(sums) < levels and min(totals[-1].shape) > 1:
        size = (max(totals[-1].shape[1] // 2, 1), max(totals[-1].shape[0] // 2, 1))
        total = cv2.resize(totals[-1], size, interpolation=cv2.INTER_AREA) * 4.0
        summed = cv2.resize(sums[-1], size, interpolation=cv2.INTER_AREA) * 4.0
        scale = np.minimum(1.0, 1.0 / np.maximum(total, 1e-9))
        totals.append(total * scale)
        sums.append(_channels(summed) * scale[..., None])
    filled = sums[-1] / np.maximum(totals[-1], 1e-9)[..., None]
    for total, summed in zip(totals[-2::-1], sums[-2::-1], strict=True):
        size = (total.shape[1], total.shape[0])
        coarse = _channels(cv2.resize(filled, size, interpolation=cv2.INTER_LINEAR))
        filled = summed + (1.0 - total)[..., None] * coarse
    return filled


def blur(picture: NDArray[np.floating], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur with a standard deviation in texels."""
    import cv2

    return cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), sigma)


def _channels(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture[..., None] if picture.ndim == 2 else picture
