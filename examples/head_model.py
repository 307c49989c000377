"""Look into the head model: move its identity and expression sliders and draw a grid.

    python examples/head_model.py [FOLDER]

Identity modes have unit variance among adults, so 2 is rare and 3 is very rare. Vertices are
linear in identity and expression; heads without textures are drawn in grey.
"""

from __future__ import annotations

import numpy as np
from _demo_avatar import output_folder

import lifemask
from lifemask.geometry import write_image
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.rendering import contact_sheet, turntable

SIZE, YAW = 224, 0.4
STEPS = (-3.0, -1.5, 0.0, 1.5, 3.0)
MODES = 4


def main() -> None:
    """Draw each of the first modes, then random people and expressions."""
    folder = output_folder()
    model = lifemask.load_head_model()
    print(f"{len(model.neutral)} vertices, {model.mode_count} identity modes, 52 expressions")

    pictures, labels = [], []
    for mode in range(MODES):
        for step in STEPS:
            identity = step * np.eye(model.mode_count)[mode]
            pictures += turntable(model.head(identity), yaws=[YAW], width=SIZE)
            labels.append(f"mode {mode}: {step:+.1f}")
    path = folder / "identity.png"
    write_image(path, contact_sheet(pictures, columns=len(STEPS), labels=labels))
    print(f"wrote {path}")

    random = np.random.default_rng(0)
    jaw = np.eye(len(COEFFICIENT_INDEX))[COEFFICIENT_INDEX["jawOpen"]]
    pictures = []
    for _ in range(4):
        # Modes are uncorrelated, but not independent: full deviation in all of them is odd.
        head = model.head(0.7 * random.standard_normal(model.mode_count))
        for coefficients in (0.0 * jaw, 0.7 * jaw):
            vertices = head.vertices(coefficients)
            pictures += turntable(head, yaws=[YAW], width=SIZE, vertices=vertices)
    write_image(folder / "people.png", contact_sheet(pictures, columns=4))
    print(f"wrote {folder / 'people.png'}")


if __name__ == "__main__":
    main()
