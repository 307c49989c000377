"""Make an avatar's skin move with its expression: folds, lids, the dark of the mouth.

    python examples/dynamic_texture.py [FOLDER]

A clip teaches a dynamic texture of the person; a photo gives the generic one that is used here. An
engine does the same with the files in the package, see docs/dynamics.md.
"""

from __future__ import annotations

import numpy as np
from _demo_avatar import demo_package, output_folder

import lifemask
from lifemask.dynamics import compose, dynamic_input, view_direction
from lifemask.geometry import write_image
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.rendering import Renderer, contact_sheet, frame_head

EXPRESSIONS = {
    "jawOpen": {"jawOpen": 0.6},
    "frown": {"browDownLeft": 1.0, "browDownRight": 1.0},
    "squint": {"eyeSquintLeft": 1.0, "eyeSquintRight": 1.0, "cheekSquintLeft": 0.8},
}


def main() -> None:
    """Draw three expressions without and with the dynamic texture."""
    folder = output_folder()
    avatar = lifemask.Avatar.load(demo_package(folder))
    texture = avatar.best_dynamic()
    assert texture is not None
    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair, layout=texture.layout)
    camera, pose = frame_head(avatar.head, 384, 384)
    pictures, labels = [], []
    for name, values in EXPRESSIONS.items():
        coefficients = np.zeros(52)
        coefficients[[COEFFICIENT_INDEX[one] for one in values]] = list(values.values())
        inputs = dynamic_input(coefficients, view=view_direction(pose))
        output = texture.evaluate(inputs)
        vertices = avatar.head.vertices(coefficients)
        for title, dynamic in ((name, None), (f"{name}, {texture.kind}", output)):
            picture = renderer.render(vertices, pose=pose, camera=camera, dynamic=dynamic)
            pictures.append(picture)
            labels.append(title)
    write_image(folder / "dynamic.png", contact_sheet(pictures, columns=2, labels=labels))
    albedo = compose(avatar.textures["albedo"], output, texture.layout)
    write_image(folder / "albedo_squint.png", albedo[..., :3])
    print(f"wrote {folder / 'dynamic.png'} and {folder / 'albedo_squint.png'}")


if __name__ == "__main__":
    main()
