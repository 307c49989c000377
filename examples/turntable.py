"""Draw an avatar from all sides: a sheet, a turning video, and views of your own.

    python examples/turntable.py [FOLDER]

The renderer is software, gives the same pixels everywhere and needs no GPU.
"""

from __future__ import annotations

import math

import numpy as np
from _demo_avatar import demo_package, output_folder

import lifemask
from lifemask.geometry import write_image
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.rendering import Renderer, contact_sheet, frame_head, turntable

EXPRESSIONS = ("jawOpen", "mouthPucker", "browInnerUp", "eyeBlinkLeft", "mouthSmileRight")


def main() -> None:
    """Draw with `lifemask.render`, then with the renderer itself."""
    folder = output_folder()
    avatar = lifemask.Avatar.load(demo_package(folder))
    lifemask.render(avatar, folder / "turntable.png", size=384)
    video = lifemask.render(avatar, folder / "turntable.mp4", size=384, seconds=3.0, rate_hz=24.0)
    print(f"wrote {folder / 'turntable.png'} and {video.path} with {video.frames} frames")

    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair, supersampling=3)
    pictures = turntable(renderer, yaws=[math.radians(a) for a in (-45, 0, 45)], width=320)
    camera, pose = frame_head(avatar.head, 320, 320, yaw=math.radians(20))
    for name in EXPRESSIONS:
        coefficients = np.zeros(len(COEFFICIENT_INDEX), np.float32)
        coefficients[COEFFICIENT_INDEX[name]] = 1.0
        vertices = avatar.head.vertices(coefficients)
        pictures.append(renderer.render(vertices, pose=pose, camera=camera))
    labels = ["-45°", "0°", "45°", *EXPRESSIONS]
    write_image(folder / "expressions.png", contact_sheet(pictures, columns=4, labels=labels))
    print(f"wrote {folder / 'expressions.png'}")


if __name__ == "__main__":
    main()
