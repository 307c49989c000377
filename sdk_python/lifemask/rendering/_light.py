"""Light set-ups, in the camera frame so that a turning head is lit from a fixed place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifemask.rendering._scene import Lamps

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """A large distant lamp.

    Attributes:
        direction: From the head toward the lamp, camera frame (+X right, +Y up, +Z toward the
            camera); any length.
        color: Linear red, green, blue; 1 shows a white surface that faces the lamp as white.
    """

    direction: Triple
    color: Triple


@dataclass(frozen=True)
class Light:
    """Lamps, and light from all around.

    Attributes:
        lamps: Directed light.
        sky: Linear colour of the light from above.
        ground: Linear colour of the light from below.
        occlusion: How much recesses of the skin darken, 0 (not at all) to 1 (fully). Textures
            that come from a photo hold part of that darkness already.
        gloss: Share of highlights and of mirrored surroundings that is drawn; 0 shows colours
            alone.
    """

    lamps: tuple[Lamp, ...]
    sky: Triple
    ground: Triple
    occlusion: float = 0.7
    gloss: float = 1.0


STUDIO_LIGHT = Light(
    lamps=(
        Lamp((-0.5, 0.55, 0.75), (0.73, 0.715, 0.7)),
        Lamp((0.85, 0.1, 0.55), (0.18, 0.185, 0.195)),
        Lamp((0.7, 0.5, -0.75), (0.34, 0.35, 0.37)),
        Lamp((-0.8, 0.3, -0.7), (0.2, 0.2, 0.22)),
    ),
    sky=(0.48, 0.49, 0.51),
    ground=(0.28, 0.275, 0.27),
)
"""Soft key from the upper left, weak fill, two rim lamps; a face keeps about its own brightness."""


def lamp_arrays(light: Light) -> Lamps:
    """Return the light as the compiled loops read it."""
    directions = np.array([lamp.direction for lamp in light.lamps], np.float32).reshape(-1, 3)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return Lamps(
        directions,
        np.array([lamp.color for lamp in light.lamps], np.float32).reshape(-1, 3),
        np.array(light.sky, np.float32),
        np.array(light.ground, np.float32),
        np.float32(light.gloss),
    )
