"""Make the picture at the top of the README: a portrait, and the avatar that it becomes.

    python tools/demo_picture.py [PACKAGE]

Builds the avatar of the built-in portrait unless a package of it is given, and writes
`docs/images/demo.png`.
"""

from __future__ import annotations

import argparse
import io
import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import lifemask
from lifemask.geometry import read_image, resize_image
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.rendering import Renderer, frame_head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "demo.png"
LARGEST_BYTES = 600_000

GAP, CELL, ROWS = 6, 300, 2
PAPER = (255, 255, 255)
BACKDROP = (84, 88, 95)
CLOSER = 1.18
"""The portrait cuts the neck, so its avatar may be as large."""

Cell = tuple[float, "Mapping[str, float]"]
SMILE = {
    "mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5,
    "mouthUpperUpLeft": 0.25, "mouthUpperUpRight": 0.25, "jawOpen": 0.08,
}  # fmt: skip
SURPRISE = {
    "browInnerUp": 0.8, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8, "eyeWideLeft": 0.6,
    "eyeWideRight": 0.6, "jawOpen": 0.45, "mouthFunnel": 0.2,
}  # fmt: skip
ANGER = {
    "browDownLeft": 0.9, "browDownRight": 0.9, "noseSneerLeft": 0.5, "noseSneerRight": 0.5,
    "mouthFrownLeft": 0.5, "mouthFrownRight": 0.5, "mouthPressLeft": 0.5, "mouthPressRight": 0.5,
    "eyeSquintLeft": 0.3, "eyeSquintRight": 0.3,
}  # fmt: skip
WINK = {"eyeBlinkLeft": 1.0, "mouthSmileLeft": 0.7, "cheekSquintLeft": 0.6, "mouthLeft": 0.2}

CELLS: tuple[Cell, ...] = (
    (0.0, {}), (-35.0, {}), (35.0, {}), (75.0, {}),
    (15.0, SMILE), (-15.0, SURPRISE), (20.0, ANGER), (-20.0, WINK),
)  # fmt: skip
"""Degrees that the face is turned to its own left, and its expression."""


def main() -> None:
    """Draw and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package", type=Path, nargs="?", help="avatar of the built-in portrait")
    package = parser.parse_args().package
    avatar = lifemask.build([PORTRAIT]) if package is None else lifemask.Avatar.load(package)
    data = encode(compose(avatar))
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(data)
    print(f"{OUTPUT.name}: {len(data) / 1e3:.0f} kB")


def compose(avatar: lifemask.Avatar) -> NDArray[np.uint8]:
    """Lay out the portrait and, in two rows beside it, the views of its avatar."""
    columns = len(CELLS) // ROWS
    side = ROWS * CELL + (ROWS - 1) * GAP
    sheet = np.full((side, side + columns * (CELL + GAP), 3), PAPER, np.uint8)
    sheet[:, :side] = resize_image(read_image(PORTRAIT), side, side)
    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair, supersampling=3)
    for index, (degrees, expression) in enumerate(CELLS):
        row, column = divmod(index, columns)
        top, left = row * (CELL + GAP), side + GAP + column * (CELL + GAP)
        view = draw(renderer, math.radians(degrees), expression)
        sheet[top : top + CELL, left : left + CELL] = view
    return sheet


def draw(renderer: Renderer, yaw: float, expression: Mapping[str, float]) -> NDArray[np.uint8]:
    """Draw one cell."""
    coefficients = np.zeros(len(COEFFICIENT_INDEX), np.float32)
    for name, value in expression.items():
        coefficients[COEFFICIENT_INDEX[name]] = value
    camera, pose = frame_head(renderer.head, CELL, CELL, yaw=yaw)
    camera = replace(camera, focal=CLOSER * camera.focal)
    vertices = renderer.head.vertices(coefficients)
    return renderer.render(vertices, pose=pose, camera=camera, background=BACKDROP)


def encode(picture: NDArray[np.uint8]) -> bytes:
    """Return a PNG that is small enough for a repository: in true colour, else with 256 colours.

    Raises:
        ValueError: It is too large even so.
    """
    from PIL import Image

    image = Image.fromarray(picture)
    for candidate in (image, image.quantize(256, method=Image.Quantize.MEDIANCUT)):
        buffer = io.BytesIO()
        candidate.save(buffer, "PNG", optimize=True)
        if buffer.tell() <= LARGEST_BYTES:
            return buffer.getvalue()
    raise ValueError(f"{buffer.tell()} bytes, allowed are {LARGEST_BYTES}")


if __name__ == "__main__":
    main()
