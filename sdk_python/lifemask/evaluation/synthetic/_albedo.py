"""The built albedo against the painted one, where both heads share an atlas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.appearance import Provenance, Texels
from lifemask.geometry import linear_to_srgb, resize_image, srgb_to_linear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.avatar import Avatar
    from lifemask.evaluation.synthetic._person import SyntheticPerson


def albedo_errors(avatar: Avatar, person: SyntheticPerson) -> dict[str, Any]:
    """Return the PSNR of seen skin in UV, dB, after one gain for each channel.

    The gains (least squares in linear light) take out exposure and white balance, which no
    picture can tell from albedo.

    Args:
        avatar: Built on the shipped head.
        person: On the same head.
    """
    true = person.textures["albedo"][..., :3]
    size = len(true)
    mine = resize_image(np.ascontiguousarray(avatar.textures["albedo"][..., :3]), size, size)
    labels = avatar.textures["provenance"]
    if labels.ndim == 3:
        labels = labels[..., 0]
    step = len(labels) // size or 1
    labels = (
        labels[::step, ::step]
        if len(labels) >= size
        else np.kron(labels, np.ones((size // len(labels),) * 2, np.uint8))
    )
    skin = Texels.of(person.head.topology, size, ("skin",))
    inside = np.zeros(size * size, bool)
    inside[skin.index[skin.mask("hair") < 0.2]] = True
    rows: dict[str, Any] = {}
    gains = np.ones(3)
    for name, wanted in (
        ("seen", (Provenance.SEEN, Provenance.UPSAMPLED)),
        ("unseen", (Provenance.MIRRORED, Provenance.SYNTHESISED)),
    ):
        chosen = inside & np.isin(labels.ravel(), wanted)
        if chosen.sum() < 100:
            continue
        if name == "seen":
            gains = _gains(mine.reshape(-1, 3)[chosen], true.reshape(-1, 3)[chosen])
            rows["gains"] = [round(float(gain), 3) for gain in gains]
            rows["seen_share"] = float(chosen.sum() / inside.sum())
        rows[f"{name}_psnr_db"] = _psnr(
            mine.reshape(-1, 3)[chosen], true.reshape(-1, 3)[chosen], gains
        )
    return rows


def _gains(mine: NDArray[np.uint8], true: NDArray[np.uint8]) -> NDArray[np.float64]:
    a, b = (srgb_to_linear(one.astype(np.float32) / 255).astype(np.float64) for one in (mine, true))
    return (a * b).sum(axis=0) / np.maximum((a * a).sum(axis=0), 1e-9)


def _psnr(mine: NDArray[np.uint8], true: NDArray[np.uint8], gains: NDArray[np.float64]) -> float:
    linear = srgb_to_linear(mine.astype(np.float32) / 255) * gains
    shown = np.clip(linear_to_srgb(np.clip(linear, 0, 1)), 0, 1)
    error = float(np.mean((shown - true.astype(np.float32) / 255) ** 2))
    return float(-10 * np.log10(max(error, 1e-9)))
