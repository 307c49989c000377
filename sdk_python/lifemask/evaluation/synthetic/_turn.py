"""The built avatar beside the true head, seen from the sides: what Clip A's turn is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.appearance import Texels
from lifemask.evaluation.synthetic._comparison import Comparison
from lifemask.geometry import linear_to_srgb, srgb_to_linear, write_image
from lifemask.rendering import Renderer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.avatar import Avatar
    from lifemask.evaluation.synthetic._clip import SyntheticClip
    from lifemask.heads import Head

VIEWS: Final = (-60.0, -40.0, 0.0, 40.0, 60.0)
"""Yaw, degrees."""
_BACKDROP: Final = (96, 100, 106)
_GAIN: Final = 3
"""Brightening of the differences in the picture."""


def compare_turn(avatar: Avatar, clip: SyntheticClip, folder: Path) -> dict[str, Any]:
    """Draw the avatar at the poses of Clip A and compare with the true head there.

    Both are drawn without the sensor's faults, with the true light, camera, pose and expression,
    before one backdrop; the avatar is aligned to the true head at rest by the face disc. Skin of
    face, sides and ears is compared; hair and neck are not. One gain for each channel over all
    views takes out what exposure does to the albedo.

    Args:
        avatar: Built from the clip.
        clip: Clip A.
        folder: Gets `turn.jpg`: truth, avatar, three times the difference.
    """
    truth = clip.truth
    forward = truth.rotations[:, :, 2]
    yaws = np.degrees(np.arctan2(forward[:, 0], forward[:, 2]))
    frames = [int(np.argmin(np.abs(yaws - view))) for view in VIEWS]
    true_renderer = Renderer(truth.head, clip.person.textures)
    label_renderer = Renderer(truth.head, {"albedo": _skin_labels(truth.head)})
    renderer = Renderer(avatar.head, avatar.textures)
    place = Comparison.of(avatar.head, truth.head).frame()
    pictures = []
    for frame in frames:
        options = {"pose": truth.pose(frame), "camera": truth.camera, "background": _BACKDROP}
        vertices = avatar.head.vertices(truth.coefficients[frame], gaze=truth.gaze[frame])
        mine = renderer.render(
            place.apply(vertices).astype(np.float32), light=clip.light, **options
        )
        real = true_renderer.render(truth.vertices(frame), light=clip.light, **options)
        options["background"] = (0, 0, 0)
        label = label_renderer.render(truth.vertices(frame), light=None, **options)
        pictures.append((mine, real, label[..., 0] > 200))
    gains = _gains(pictures)
    rows, drawn = {}, []
    for view, frame, (mine, real, skin) in zip(VIEWS, frames, pictures, strict=True):
        level = _levelled(mine, gains)
        rows[f"{view:+.0f}"] = {
            "yaw": float(yaws[frame]),
            "psnr_db": _psnr(level, real, skin),
            "ssim": _ssim(level, real, skin),
        }
        drawn.append(_column(real, level, skin))
    write_image(folder / "turn.jpg", np.hstack(drawn))
    return {"views": rows, "picture": "turn.jpg"}


def _skin_labels(head: Head) -> NDArray[np.uint8]:
    """Return an atlas that is white on the skin of face, sides and ears and black elsewhere."""
    size = 512
    texels = Texels.of(head.topology, size, ("skin",))
    keep = np.ones(len(texels.index), np.float32)
    for name in ("neck", "hair", "sockets"):
        if name in head.topology.masks:
            keep *= texels.mask(name) < 0.3
    labels = texels.image(255 * keep).astype(np.uint8)
    return np.repeat(labels[..., None], 3, axis=2)


def _gains(
    pictures: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]],
) -> NDArray[np.float64]:
    mine = np.concatenate([a[skin] for a, _, skin in pictures]).astype(np.float32) / 255
    real = np.concatenate([b[skin] for _, b, skin in pictures]).astype(np.float32) / 255
    a, b = srgb_to_linear(mine).astype(np.float64), srgb_to_linear(real).astype(np.float64)
    return (a * b).sum(axis=0) / np.maximum((a * a).sum(axis=0), 1e-9)


def _levelled(picture: NDArray[np.uint8], gains: NDArray[np.float64]) -> NDArray[np.uint8]:
    linear = srgb_to_linear(picture.astype(np.float32) / 255) * gains
    level = np.round(255 * np.clip(linear_to_srgb(np.clip(linear, 0, 1)), 0, 1)).astype(np.uint8)
    head = (picture != np.array(_BACKDROP, np.uint8)).any(axis=2, keepdims=True)
    return np.where(head, level, picture)


def _psnr(mine: NDArray[np.uint8], real: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    error = np.mean((mine[inside].astype(np.float64) - real[inside]) ** 2)
    return float(10 * np.log10(255**2 / max(float(error), 1e-6)))


def _ssim(mine: NDArray[np.uint8], real: NDArray[np.uint8], inside: NDArray[np.bool_]) -> float:
    """Return the structural similarity (Wang et al. 2004, eq. 13), Gaussian window of 11."""
    import cv2

    def blur(picture: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float64)

    a, b = mine.astype(np.float64), real.astype(np.float64)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    both = blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((top / bottom)[inside].mean())


def _column(
    real: NDArray[np.uint8], mine: NDArray[np.uint8], skin: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Stack truth, avatar and difference, cut to the head."""
    difference = np.abs(real.astype(int) - mine) * _GAIN * skin[..., None]
    _, columns = np.nonzero((real != np.array(_BACKDROP)).any(axis=2))
    middle = int(columns.min() + columns.max()) // 2
    half = real.shape[1] * 2 // 5
    left = int(np.clip(middle - half, 0, real.shape[1] - 2 * half))
    cut = slice(len(real) // 8, len(real) * 7 // 10)
    parts = [real, mine, np.clip(difference, 0, 255).astype(np.uint8)]
    return np.vstack([part[cut, left : left + 2 * half] for part in parts])
