"""The person against the background: MediaPipe's network, then edges from the picture itself."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.tracking._mediapipe import (
    checked_picture,
    import_mediapipe,
    mediapipe_image,
    missing_library,
    quiet_standard_error,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.tracking._faces import FaceLandmarks

_SIDE: Final = 256
"""Width and height of what the network sees and returns."""
_SURROUNDINGS: Final = 4.0
"""Side of the square around a face that is looked at, in sizes of the face."""
_GUIDE_SIDE: Final = 512
"""Longer side of the picture on which the edges are solved."""
_RADIUS: Final = 0.016
"""Radius of the guided filter, share of the longer side: half of what the network blurs."""
_EPSILON: Final = 3e-4
"""Variance of colours (of [0, 1]) below which a window counts as flat."""
_CERTAIN: Final = (0.04, 0.96)
"""Values of the network that are kept where nothing near differs from them."""


def segment_person(
    image: NDArray[np.uint8], face: FaceLandmarks | None = None
) -> NDArray[np.float32]:
    """Tell the person, hair included, from the background.

    MediaPipe's selfie segmentation sees the picture at 256 x 256; its coarse edge is then laid
    along the edges of the picture with the guided filter (He, Sun and Tang 2013, eq. 14-16, with
    the coefficients taken at a smaller size as in He and Sun 2015), so that strands stay soft.

    Args:
        image: `(h, w, 3)` uint8 sRGB.
        face: Whose person is meant: only what lies around this face is looked at, which keeps
            the resolution where the face is small. The whole picture when left out.

    Returns:
        `(h, w)` float32 in [0, 1], 1 where the picture shows only the person.

    Raises:
        ImageError: The array is not a picture.
        MissingExtraError: MediaPipe or a system library that it needs is missing.
    """
    checked_picture(image)
    left, top, right, bottom = _window(image, face)
    matte = np.zeros(image.shape[:2], np.float32)
    matte[top:bottom, left:right] = _segment(image[top:bottom, left:right])
    return matte


def _window(image: NDArray[np.uint8], face: FaceLandmarks | None) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    if face is None or _SURROUNDINGS * face.size >= max(height, width):
        return 0, 0, width, height
    half = 0.5 * _SURROUNDINGS * face.size
    x0, y0, x1, y1 = face.box
    x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    left, top = int(np.clip(x - half, 0, width - 1)), int(np.clip(y - half, 0, height - 1))
    right, bottom = int(np.clip(x + half, left + 1, width)), int(np.clip(y + half, top + 1, height))
    return left, top, right, bottom


def _segment(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    import cv2

    height, width = image.shape[:2]
    small = np.asarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.uint8)
    coarse = _run_network(small)
    scale = min(1.0, _GUIDE_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    mask = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.float32)
    return _along_edges(np.clip(mask, 0, 1), image)


def _along_edges(mask: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a matte of the picture's size whose edges are those of the picture."""
    import cv2

    height, width = image.shape[:2]
    size = mask.shape[1], mask.shape[0]
    guide = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    guide /= np.float32(255)
    radius = max(1, round(_RADIUS * max(size)))
    gain, offset = guided_coefficients(guide, mask, radius, _EPSILON)
    fine = [cv2.resize(gain[..., k], (width, height)) * image[..., k] for k in range(3)]
    matte = sum(fine) / np.float32(255) + cv2.resize(offset, (width, height))
    matte = np.clip((np.clip(matte, 0, 1) - 0.06) / 0.88, 0, 1)
    # Far from the edge the network knows more than the colours do.
    window = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    low, high = _CERTAIN
    inside = cv2.GaussianBlur((cv2.erode(mask, window) > high).astype(np.float32), (0, 0), radius)
    outside = cv2.GaussianBlur((cv2.dilate(mask, window) < low).astype(np.float32), (0, 0), radius)
    inside, outside = (cv2.resize(one, (width, height)) for one in (inside, outside))
    return np.asarray((matte * (1 - inside) + inside) * (1 - outside), np.float32)


def guided_coefficients(
    guide: NDArray[np.float32], target: NDArray[np.float32], radius: int, epsilon: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the averaged linear models of the colour guided filter.

    The filtered picture is `(gain * guide).sum(-1) + offset` (He, Sun and Tang 2013, eq. 14-16).

    Args:
        guide: `(h, w, 3)` in [0, 1].
        target: `(h, w)` what is to follow the guide's edges.
        radius: Of the windows, pixels.
        epsilon: Regulariser, variance of the guide.

    Returns:
        `gain` `(h, w, 3)` and `offset` `(h, w)`, float32.
    """
    import cv2

    def mean(picture: NDArray[np.floating]) -> NDArray[np.float64]:
        side = 2 * radius + 1
        return np.asarray(cv2.blur(np.asarray(picture, np.float64), (side, side)), np.float64)

    colour, value = mean(guide), mean(target)
    (r, g, b), eye = np.moveaxis(guide, -1, 0), epsilon
    mr, mg, mb = np.moveaxis(colour, -1, 0)
    rr, gg, bb = (mean(c * c) - m * m + eye for c, m in ((r, mr), (g, mg), (b, mb)))
    rg, rb, gb = mean(r * g) - mr * mg, mean(r * b) - mr * mb, mean(g * b) - mg * mb
    pr, pg, pb = (mean(c * target) - m * value for c, m in ((r, mr), (g, mg), (b, mb)))
    # The inverse of the symmetric 3 x 3 covariance by its cofactors.
    c00, c01, c02 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c11, c12, c22 = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * c00 + rg * c01 + rb * c02
    gain = (
        np.stack(
            [
                c00 * pr + c01 * pg + c02 * pb,
                c01 * pr + c11 * pg + c12 * pb,
                c02 * pr + c12 * pg + c22 * pb,
            ],
            axis=-1,
        )
        / determinant[..., None]
    )
    offset = value - (gain * colour).sum(axis=-1)
    return mean(gain).astype(np.float32), mean(offset).astype(np.float32)


def _run_network(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    # A graph of its own each time, some 20 ms: one that is kept cannot be closed once the
    # interpreter has begun to shut down, and then fails loudly.
    with quiet_standard_error():
        vision, base_options = import_mediapipe()
        options = vision.ImageSegmenterOptions(
            base_options=base_options(model_asset_buffer=_model_bytes()),
            output_confidence_masks=True,
            output_category_mask=False,
        )
        try:
            graph = vision.ImageSegmenter.create_from_options(options)
        except OSError as error:
            raise missing_library(error) from error
        with graph:
            result = graph.segment(mediapipe_image(small))
            mask = np.array(result.confidence_masks[0].numpy_view(), np.float32)
    return mask.reshape(_SIDE, _SIDE)


@functools.cache
def _model_bytes() -> bytes:
    return resources.files("lifemask").joinpath("data", "selfie_segmentation.tflite").read_bytes()
