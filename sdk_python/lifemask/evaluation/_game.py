"""What becomes of a head in a game: other lights, other sides, the same face."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics import dynamic_input, view_direction
from lifemask.rendering import Lamp, Light, Renderer, frame_head
from lifemask.tracking import REGIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.avatar import Avatar
    from lifemask.evaluation._scores import Judges

GAME_LIGHTS: Final = {
    "noon": Light(
        (Lamp((0.25, 0.9, 0.45), (0.85, 0.82, 0.76)),), (0.42, 0.45, 0.5), (0.3, 0.28, 0.25)
    ),
    "window": Light(
        (Lamp((-0.9, 0.15, 0.35), (0.9, 0.9, 0.95)),), (0.3, 0.31, 0.33), (0.26, 0.26, 0.26)
    ),
    "evening": Light(
        (Lamp((0.85, 0.25, 0.5), (0.95, 0.72, 0.5)), Lamp((-0.6, 0.3, -0.6), (0.2, 0.25, 0.35))),
        (0.27, 0.28, 0.34),
        (0.3, 0.26, 0.24),
    ),
}
"""None of them is the light of the footage."""

GAME_YAWS: Final = tuple(math.radians(degrees) for degrees in (-40, 0, 40))
IDENTITY_LIGHTS: Final = ("window", "evening")
IDENTITY_YAWS: Final = tuple(math.radians(degrees) for degrees in (-30, 30))
_SIZE: Final = 384


def game_views(
    avatar: Avatar,
    coefficients: NDArray[np.float64],
    judges: Judges,
    gaze: NDArray[np.float64] | None = None,
) -> tuple[list[NDArray[np.uint8]], list[str], dict[str, float | int]]:
    """Draw one expression under three lights from three sides and look at it again.

    The avatar wears its best dynamic texture where it has one, evaluated for each side.

    Args:
        avatar: Whom to draw.
        coefficients: `(52,)`, frozen.
        judges: Whose landmarker looks.
        gaze: `(4,)` rad, frozen.

    Returns:
        Nine pictures, their labels, and numbers: `undetected` views, and the median distance of
        the detected landmarks from the projected ones, percent of the inter-ocular distance
        (`all_percent`, `lips_percent`, `lids_percent`). The embedding of landmarks on the head is
        part of that distance.
    """
    texture = avatar.best_dynamic()
    layout = None if texture is None else texture.layout
    renderer = Renderer(
        avatar.head, avatar.textures, hair=avatar.hair, supersampling=3, layout=layout
    )
    vertices = avatar.head.vertices(coefficients, gaze=gaze)
    landmarks = avatar.head.landmarks(vertices).astype(np.float64)
    pictures, labels, undetected = [], [], 0
    far: dict[str, list[float]] = {"all": [], "lips": [], "lids": []}
    for name, light in GAME_LIGHTS.items():
        for yaw in GAME_YAWS:
            camera, pose = frame_head(avatar.head, _SIZE, _SIZE, yaw=yaw)
            inputs = dynamic_input(coefficients, gaze, view_direction(pose))
            picture = renderer.render(
                vertices,
                pose=pose,
                camera=camera,
                light=light,
                dynamic=None if texture is None else texture.evaluate(inputs),
            )
            pictures.append(picture)
            labels.append(f"{name}, {math.degrees(yaw):+.0f}°")
            seen = judges.landmarker.detect(picture)
            if not seen:
                undetected += 1
                continue
            points = camera.project(pose.apply(landmarks))
            unit = camera.focal * float(np.linalg.norm(landmarks[263] - landmarks[33]))
            unit /= -float(pose.apply(landmarks[[33, 263]])[:, 2].mean())
            error = 100.0 * np.linalg.norm(seen[0].pixels - points, axis=1) / unit
            far["all"].append(float(error[:468].mean()))
            far["lips"].append(float(error[REGIONS["lips"]].mean()))
            far["lids"].append(float(error[REGIONS["eyes"]].mean()))
    numbers: dict[str, float | int] = {"views": len(pictures), "undetected": undetected}
    for name, values in far.items():
        if values:
            numbers[f"{name}_percent"] = round(float(np.median(values)), 3)
    return pictures, labels, numbers


def identity_views(
    avatar: Avatar, judges: Judges
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.float64] | None]]:
    """Draw the neutral head at ±30° under two lights that the footage does not have.

    Returns:
        Four pictures and their embeddings, None where no face was found.
    """
    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair, supersampling=3)
    pictures: list[NDArray[np.uint8]] = []
    embeddings: list[NDArray[np.float64] | None] = []
    for name in IDENTITY_LIGHTS:
        for yaw in IDENTITY_YAWS:
            camera, pose = frame_head(avatar.head, _SIZE, _SIZE, yaw=yaw)
            picture = renderer.render(pose=pose, camera=camera, light=GAME_LIGHTS[name])
            seen = judges.landmarker.detect(picture)
            pictures.append(picture)
            known = judges.embedding is not None and bool(seen)
            embeddings.append(judges.embedding(picture, seen[0].pixels) if known else None)  # type: ignore[misc]
    return pictures, embeddings
