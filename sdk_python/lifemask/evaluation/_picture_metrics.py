"""How alike two pictures are: PSNR, SSIM, sharpness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SSIM_WINDOW: Final = 11
"""Pixels along a side of the Gaussian window of SSIM."""

DIFFERENCE_GAIN: Final = 3.0
"""Brightening of pictures that show a difference."""

_SIGMA = 1.5
_C1, _C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2
_BEST_PSNR = 99.0
"""dB; stands for equal pictures, so that means stay finite."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def psnr(picture: NDArray[np.uint8], truth: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """Return the peak signal-to-noise ratio inside a mask, dB.

    The squared error is divided by the masked pixels, not by the picture's: the latter gives
    4.9 dB more for a mask of a third of the picture.

    Args:
        picture: `(height, width, 3)` sRGB.
        truth: Same shape.
        inside: `(height, width)`, at least one pixel.
    """
    error = picture[inside].astype(np.float64) - truth[inside]
    mean = float(np.square(error).mean())
    return _BEST_PSNR if mean == 0.0 else min(_BEST_PSNR, 10.0 * np.log10(255.0**2 / mean))


def ssim_map(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the structural similarity at each pixel, `(height, width)`, mean of the channels.

    Wang et al. 2004, equation 13, with their Gaussian window of 11 pixels (sigma 1.5), K1 0.01,
    K2 0.03; the picture is mirrored at its border.

    Args:
        picture: `(height, width, 3)` sRGB.
        truth: Same shape.
    """
    import cv2

    def blurred(values: NDArray[np.floating]) -> NDArray[np.float64]:
        window = (SSIM_WINDOW, SSIM_WINDOW)
        smooth = cv2.GaussianBlur(values, window, _SIGMA, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(smooth, np.float64)

    a, b = picture.astype(np.float64), truth.astype(np.float64)
    mean_a, mean_b = blurred(a), blurred(b)
    variance_a = blurred(a * a) - mean_a**2
    variance_b = blurred(b * b) - mean_b**2
    covariance = blurred(a * b) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)) / (
        (mean_a**2 + mean_b**2 + _C1) * (variance_a + variance_b + _C2)
    )
    return similarity.mean(axis=2).astype(np.float32)


def laplacian_energy(picture: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """Return the mean square of the luma's Laplacian inside a mask, 8-bit steps squared.

    The border of the mask is left out by the reach of the filter, so that what lies outside has
    no say.

    Args:
        picture: `(height, width, 3)` sRGB.
        inside: `(height, width)`.
    """
    import cv2

    luma = picture.astype(np.float32) @ _LUMA
    edges = cv2.Laplacian(luma, cv2.CV_32F, ksize=3)
    core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return float(np.square(edges[core]).mean()) if core.any() else 0.0


def composite(
    picture: NDArray[np.uint8], truth: NDArray[np.uint8], inside: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the true picture with the inside of the mask replaced by another one."""
    return np.where(inside[..., None], picture, truth)


def difference_picture(
    picture: NDArray[np.uint8], truth: NDArray[np.uint8], inside: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return how far a picture is off inside the mask, brightened, black outside."""
    error = np.abs(picture.astype(np.float32) - truth) * DIFFERENCE_GAIN
    return np.where(inside[..., None], np.minimum(error, 255.0), 0.0).astype(np.uint8)
