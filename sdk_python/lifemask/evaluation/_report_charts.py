"""Drawings inside the report: bars, a clip's time line, pictures."""

from __future__ import annotations

import base64
import html
import itertools
from typing import TYPE_CHECKING, Final

from lifemask.geometry import read_image

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_WIDTH: Final = 900
_CURVES: Final = ("#39c", "#d71", "#2a6", "#b4c", "#888")
_WIDEST: Final = 1500
_QUALITY: Final = 82


def bars(values: Mapping[str, float], unit: str) -> str:
    """Return horizontal bars, one for each value."""
    top = max([*values.values(), 1e-9])
    lines = []
    for number, (name, value) in enumerate(values.items()):
        y, length = 22 * number, 400 * value / top
        lines.append(
            f"<text x='90' y='{y + 15}' text-anchor='end'>{html.escape(name)}</text>"
            f"<rect x='100' y='{y + 3}' width='{length:.1f}' height='15' fill='#39c'/>"
            f"<text x='{108 + length:.1f}' y='{y + 15}'>{value:.2f} {html.escape(unit)}</text>"
        )
    height = 22 * len(values) + 4
    return (
        f"<svg viewBox='0 0 620 {height}' width='620' font-size='13' fill='currentColor' "
        f"role='img' aria-label='error by region'>{''.join(lines)}</svg>"
    )


def timeline(
    frames: int,
    train: Sequence[Sequence[int]],
    test: Sequence[Sequence[int]],
    curves: Mapping[str, Sequence[Sequence[float]]],
) -> str:
    """Return which frames are which, and the PSNR of each test frame above them.

    Args:
        frames: Of the clip.
        train: First and last frame of each run.
        test: As `train`.
        curves: Frame and decibels by row.
    """
    scale = _WIDTH / max(frames, 1)

    def blocks(runs: Sequence[Sequence[int]], colour: str) -> str:
        return "".join(
            f"<rect x='{first * scale:.1f}' y='132' width='{(last - first + 1) * scale:.1f}' "
            f"height='14' fill='{colour}'/>"
            for first, last in runs
        )

    values = [value for curve in curves.values() for _, value in curve] or [0.0]
    low, high = min(values), max(max(values), min(values) + 1.0)
    dots = []
    colours = dict(zip(curves, itertools.cycle(_CURVES), strict=False))
    for name, curve in curves.items():
        colour = colours[name]
        for frame, value in curve:
            y = 120 - 105 * (value - low) / (high - low)
            dots.append(f"<circle cx='{(frame + 0.5) * scale:.1f}' cy='{y:.1f}' r='2.2' "
                        f"fill='{colour}'/>")  # fmt: skip
    legend = " ".join(
        f"<tspan fill='{colours[name]}'>● {html.escape(name)}</tspan>" for name in curves
    )
    return (
        f"<svg viewBox='0 0 {_WIDTH} 170' width='{_WIDTH}' font-size='13' fill='currentColor' "
        "role='img' aria-label='training and test frames, PSNR of test frames'>"
        f"{blocks(train, '#8886')}{blocks(test, '#d71')}{''.join(dots)}"
        f"<text x='2' y='12'>{high:.1f} dB</text><text x='2' y='126'>{low:.1f} dB</text>"
        f"<text x='2' y='164'>grey: training, orange: test, blank: neither. {legend}</text></svg>"
    )


def embedded_picture(path: Path) -> str:
    """Return a picture as a data address, made smaller where it is larger than pages need."""
    import cv2

    image = read_image(path)
    if image.shape[1] > _WIDEST:
        size = (_WIDEST, round(image.shape[0] * _WIDEST / image.shape[1]))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
