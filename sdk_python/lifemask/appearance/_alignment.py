"""Moving the pictures of a face against each other in the atlas until pores lie on pores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance._atlas import sample_bilinear
from lifemask.appearance._projection import recolour
from lifemask.appearance._pyramid import blur, grow, push_pull, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.appearance._atlas import Texels
    from lifemask.appearance._projection import View

_SIDE: Final = 512
"""Side of the pictures in which the flow is computed."""
_FARTHEST: Final = 0.012
"""Longest shift, as a share of the atlas: what is farther off is no error of the fit."""
_SMOOTH: Final = 1 / 128
"""Standard deviation of the flow's smoothing, as a share of the atlas."""
_DETAIL: Final = 1 / 40
"""Standard deviation of what is taken out of the luminance before it is compared."""


def sharpness(texels: Texels, view: View) -> float:
    """Return the energy of the fine structure of the face in one view, at a fixed scale."""
    grey, seen = _small_grey(texels, view)
    band = blur(grey, _SIDE / 512) - blur(grey, _SIDE / 170)
    inside = shrink(texels.image(view.trust * view.core * texels.mask("face")), *grey.shape) > 0.6
    if inside.sum() < 100:
        return 0.0
    return float(np.sqrt((band[inside] ** 2).mean())) * float(seen[inside].mean())


def align_views(
    texels: Texels, views: Sequence[View], images: Sequence[NDArray[np.uint8]]
) -> tuple[list[View], float]:
    """Shift each view by optical flow onto the sharpest frontal one.

    Dense inverse search flow (Kroeger et al. 2016) between the detail of the luminance of the
    unwrapped views, bounded, smoothed, and zero where the two are not both seen. The flow moves
    the places at which the pictures are sampled, so that nothing is resampled twice. A view
    whose difference from the reference it does not lower stays as it is.

    Args:
        texels: Of the skin.
        views: One per picture.
        images: The pictures.

    Returns:
        The views, and the mean shift of what was moved, as a share of the atlas.
    """
    if len(views) < 2:
        return list(views), 0.0
    reference = choose_reference(texels, views)
    wanted = _prepared(texels, views[reference])
    aligned, shifts = [], [0.0]
    for number, (view, image) in enumerate(zip(views, images, strict=True)):
        flow = None if number == reference else _flow(wanted, _prepared(texels, view))
        if flow is None:
            aligned.append(view)
            continue
        shifts.append(float(np.linalg.norm(flow, axis=2).mean()) / _side(texels))
        aligned.append(_shifted(texels, view, image, flow))
    return aligned, max(shifts)


def choose_reference(texels: Texels, views: Sequence[View]) -> int:
    """Return the number of the view that shows most of the face sharply."""
    face = texels.mask("face")
    scores = [sharpness(texels, v) ** 0.5 * float((v.trust * v.core * face).sum()) for v in views]
    return int(np.argmax(scores))


def _side(texels: Texels) -> int:
    return min(_SIDE, texels.size)


def _small_grey(texels: Texels, view: View) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the logarithmic luminance and the trust at the flow's size, filled where unseen."""
    side = _side(texels)
    trust = texels.image(view.trust)
    grey = texels.image(np.log(np.maximum(view.colours.mean(axis=1), 0.03)))
    weight = shrink(trust, side, side)
    mean = shrink(grey * trust, side, side) / np.maximum(weight, 1e-4)
    return push_pull(mean[..., None], np.minimum(weight, 1.0))[..., 0], weight


def _prepared(texels: Texels, view: View) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the detail of a view as grey steps of equal contrast, and where it is seen."""
    grey, weight = _small_grey(texels, view)
    detail = grey - blur(grey, grey.shape[0] * _DETAIL)
    contrast = np.sqrt(blur(detail**2, grey.shape[0] * _DETAIL)) + 0.03
    return np.clip(128 + 48 * detail / contrast, 0, 255).astype(np.uint8), weight


def _flow(
    wanted: tuple[NDArray[np.uint8], NDArray[np.float32]],
    found: tuple[NDArray[np.uint8], NDArray[np.float32]],
) -> NDArray[np.float32] | None:
    """Return the shift `(h, w, 2)` from the reference's texels to the view's, or none."""
    import cv2

    side = wanted[0].shape[0]
    both = np.clip((np.minimum(wanted[1], found[1]) - 0.25) / 0.5, 0, 1).astype(np.float32)
    if both.sum() < 400:
        return None
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = np.asarray(search.calc(wanted[0], found[0], None), np.float32)  # type: ignore[call-overload]
    length = np.linalg.norm(flow, axis=2, keepdims=True)
    farthest = _FARTHEST * side
    flow *= np.minimum(1.0, farthest / np.maximum(length, 1e-6))
    # Long shifts are doubtful, so they count little in the smoothing.
    weight = both * np.exp(-((length[..., 0] / farthest) ** 2))
    total = np.maximum(blur(weight, side * _SMOOTH), 1e-3)
    flow = blur(flow * weight[..., None], side * _SMOOTH) / total[..., None] * both[..., None]
    columns, rows = np.meshgrid(np.arange(side), np.arange(side))
    x, y = (columns + flow[..., 0]).astype(np.float32), (rows + flow[..., 1]).astype(np.float32)
    moved = cv2.remap(found[0], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    apart = [np.abs(wanted[0].astype(np.float32) - p)[both > 0.5].mean() for p in (found[0], moved)]
    return np.asarray(flow, np.float32) if apart[1] < apart[0] else None


def _shifted(
    texels: Texels, view: View, image: NDArray[np.uint8], flow: NDArray[np.float32]
) -> View:
    """Return the view sampled where the flow says."""
    size = texels.size
    seen = np.zeros((size, size), np.float32)
    seen.ravel()[texels.index] = 1.0
    places = push_pull(texels.image(view.pixels), seen)
    shift = grow(flow, size, size) * np.float32(size / flow.shape[0])
    rows, columns = np.divmod(texels.index, size)
    at = np.stack([columns, rows], axis=1) + 0.5 + shift.reshape(-1, 2)[texels.index]
    return recolour(replace(view, pixels=sample_bilinear(places, at)), image)
