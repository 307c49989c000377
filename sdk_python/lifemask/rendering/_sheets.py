"""Several pictures in one: turntables, previews and labelled sheets."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.rendering._framing import frame_head
from lifemask.rendering._light import STUDIO_LIGHT, Light
from lifemask.rendering._renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.appearance import HairCap
    from lifemask.geometry import Pose
    from lifemask.heads import Head
    from lifemask.rendering._background import Background

TURNTABLE_YAWS = tuple(math.radians(degrees) for degrees in (-90, -60, -30, 0, 30, 60, 90, 180))
PREVIEW_YAWS = tuple(math.radians(degrees) for degrees in (-60, -30, 0, 30, 60))
STILL_SUPERSAMPLING = 3
"""Finer than video needs, because still edges are looked at."""
_TEXELS_PER_ROW = 4
"""Texels of a texture for each row of a preview; a head does not fill it."""
SHEET_COLOR = (40, 42, 46)
_LABEL_COLOR = (225, 226, 228)
_PREVIEW_SMILE = {
    "mouthSmileLeft": 0.75,
    "mouthSmileRight": 0.75,
    "cheekSquintLeft": 0.5,
    "cheekSquintRight": 0.5,
    "mouthUpperUpLeft": 0.25,
    "mouthUpperUpRight": 0.25,
    "jawOpen": 0.06,
}


def turntable(
    head: Head | Renderer,
    textures: Mapping[str, NDArray[np.uint8]] | None = None,
    *,
    hair: HairCap | None = None,
    yaws: Sequence[float] = TURNTABLE_YAWS,
    width: int = 512,
    height: int | None = None,
    vertices: NDArray[np.float32] | None = None,
    light: Light | None = STUDIO_LIGHT,
    background: Background = None,
    dynamic: Callable[[Pose], NDArray[np.floating] | None] | None = None,
) -> list[NDArray[np.uint8]]:
    """Draw a head from several sides.

    Args:
        head: The head, or a renderer that has its textures already.
        textures: See `Renderer`; not used with a renderer.
        hair: See `Renderer`; not used with a renderer.
        yaws: Radians; positive turns the face toward its own left.
        width: Of each picture, pixels.
        height: Pixels; the same as the width when left out.
        vertices: See `Renderer.render`.
        light: See `Renderer.render`.
        background: See `Renderer.render`.
        dynamic: Gives the output of a dynamic texture for a pose, see `Renderer.render`.

    Returns:
        One `(height, width, 3)` uint8 picture for each yaw.
    """
    renderer = _as_renderer(head, textures, hair)
    pictures = []
    for yaw in yaws:
        camera, pose = frame_head(
            renderer.head, width, height or width, yaw=yaw, hair=renderer.hair
        )
        pictures.append(
            renderer.render(
                vertices,
                pose=pose,
                camera=camera,
                light=light,
                background=background,
                dynamic=None if dynamic is None else dynamic(pose),
            )
        )
    return pictures


def preview(
    head: Head | Renderer,
    textures: Mapping[str, NDArray[np.uint8]] | None = None,
    *,
    hair: HairCap | None = None,
    height: int = 320,
    light: Light | None = STUDIO_LIGHT,
) -> NDArray[np.uint8]:
    """Draw what a person wants to see first: five views and a smile, in one row.

    Args:
        head: The head, or a renderer that has its textures already.
        textures: See `Renderer`; not used with a renderer.
        hair: See `Renderer`; not used with a renderer.
        height: Pixels; the row is 4.5 times as wide.
        light: See `Renderer.render`.

    Returns:
        `(height, 4.5 height, 3)` uint8.
    """
    renderer = _as_renderer(head, _fine_enough(textures or {}, height), hair)
    coefficients = np.zeros(COEFFICIENT_COUNT, np.float32)
    for name, value in _PREVIEW_SMILE.items():
        coefficients[COEFFICIENT_INDEX[name]] = value
    view = functools.partial(
        turntable, renderer, width=round(height * 0.75), height=height, light=light
    )
    smile = renderer.head.vertices(coefficients)
    views = [*view(yaws=PREVIEW_YAWS), *view(yaws=(math.radians(15),), vertices=smile)]
    return np.concatenate(views, axis=1)


def contact_sheet(
    images: Sequence[NDArray[np.uint8]],
    *,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
    gap: int = 4,
) -> NDArray[np.uint8]:
    """Lay pictures out in rows on a dark ground.

    Args:
        images: `(h, w, 3)` uint8 each; smaller ones are centred in cells of the largest size.
        columns: Pictures a row; about a square when left out.
        labels: A line under each picture.
        gap: Pixels between the pictures and around them.

    Returns:
        `(height, width, 3)` uint8.

    Raises:
        ValueError: No pictures, or not as many labels as pictures.
    """
    if not images:
        raise ValueError("a contact sheet of no pictures")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(labels)} labels for {len(images)} pictures")
    columns = columns or math.ceil(math.sqrt(len(images)))
    height, width = np.max([image.shape[:2] for image in images], axis=0)
    line = max(16, round(0.05 * height)) if labels else 0
    rows = math.ceil(len(images) / columns)
    used = min(columns, len(images))
    cell_height, cell_width = height + line + gap, width + gap
    sheet = np.empty((rows * cell_height + gap, used * cell_width + gap, 3), np.uint8)
    sheet[:] = SHEET_COLOR
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top = gap + row * cell_height + (height - image.shape[0]) // 2
        left = gap + column * cell_width + (width - image.shape[1]) // 2
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    if not labels:
        return sheet
    middles = [
        (gap + (i % columns + 0.5) * cell_width, gap + (i // columns + 1) * cell_height - gap)
        for i in range(len(labels))
    ]
    return _write_labels(sheet, labels, middles, line)


def _as_renderer(
    head: Head | Renderer,
    textures: Mapping[str, NDArray[np.uint8]] | None,
    hair: HairCap | None,
) -> Renderer:
    if isinstance(head, Renderer):
        return head
    return Renderer(head, textures or {}, hair=hair, supersampling=STILL_SUPERSAMPLING)


def _fine_enough(
    textures: Mapping[str, NDArray[np.uint8]], height: int
) -> dict[str, NDArray[np.uint8]]:
    """Return the pictures without what small views cannot show, which takes time to prepare."""
    import cv2

    smaller = {}
    for name, texture in textures.items():
        shape = texture.shape
        while min(shape[:2]) > _TEXELS_PER_ROW * height:
            shape = (shape[0] // 2, shape[1] // 2, *shape[2:])
        size = (shape[1], shape[0])
        shrunk = cv2.resize(texture, size, interpolation=cv2.INTER_AREA)
        smaller[name] = np.asarray(shrunk, np.uint8).reshape(shape)
    return smaller


def _write_labels(
    sheet: NDArray[np.uint8],
    labels: Sequence[str],
    middles: Sequence[tuple[float, float]],
    line: int,
) -> NDArray[np.uint8]:
    """Write each label above its middle bottom point."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=0.65 * line)
    for label, (x, bottom) in zip(labels, middles, strict=True):
        draw.text((x, bottom - 0.3 * line), label, _LABEL_COLOR, font=font, anchor="ms")
    return np.array(picture)
