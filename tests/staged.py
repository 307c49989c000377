"""Pictures of the mean head with a known skin, taken with a known camera: truth for textures."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from lifemask.appearance._atlas import Texels
from lifemask.appearance._pyramid import push_pull
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import (
    IRIS_ANGLE,
    JOINT_NAMES,
    PART_NAMES,
    PUPIL_ANGLE,
    Head,
    load_head_model,
)
from lifemask.rendering import Renderer
from lifemask.tracking import FaceLandmarks, PhotoFit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lifemask.rendering import Light

Colour = tuple[float, float, float]

ATLAS = 1024
"""Texels along a side of the known skin."""

PICTURE = 640
BLUE = (0, 0, 255)
"""A backdrop that no skin, hair or eye resembles."""

SKIN = (0.78, 0.60, 0.50)
BROWN = (0.30, 0.19, 0.12)
SCLERA = (0.85, 0.83, 0.81)
LEFT_MOLE, RIGHT_MOLE = 330, 207
"""Landmarks on the subject's left and right cheek that carry a mole, at places that differ."""
LEFT_COLOUR, RIGHT_COLOUR = (0.35, 0.20, 0.15), (0.50, 0.35, 0.30)
_MOLE_RADIUS = 0.006


@functools.cache
def mean_head() -> Head:
    """Return the mean adult."""
    return load_head_model().head()


@functools.cache
def known_skin(
    *,
    iris: Colour = BROWN,
    cap: Colour | None = None,
    lids: Colour | None = None,
) -> NDArray[np.uint8]:
    """Return an atlas `(ATLAS, ATLAS, 4)`: even skin with soft blotches and two moles.

    The blotches are the same on both sides, the moles are not. The lashes cannot be seen.

    Args:
        iris: sRGB in [0, 1].
        cap: Colour of a tight cap over the scalp.
        lids: Colour of make-up on the upper lids.
    """
    head = mean_head()
    texels = Texels.of(head.topology, ATLAS, PART_NAMES)
    points = texels.spread(head.neutral)
    x, y, _ = 1000 * points.T
    blotch = np.sin(np.abs(x) / 5) * np.sin(y / 6 + 1) + np.sin(np.abs(x) / 9 + y / 8)
    colours = np.array(SKIN) + 0.015 * blotch[:, None]
    marks = head.landmarks(head.neutral)
    for place, colour in ((LEFT_MOLE, LEFT_COLOUR), (RIGHT_MOLE, RIGHT_COLOUR)):
        away = np.linalg.norm(points - marks[place], axis=1)
        _blend(colours, np.clip((_MOLE_RADIUS - away) / 1e-3 + 0.5, 0, 1), colour)
    if cap is not None:
        _blend(colours, (texels.mask("hair") > 0.5).astype(float), cap)
    if lids is not None:
        _blend(colours, upper_lids(texels).astype(float), lids)
    part = _part_of(texels)
    for side in ("left", "right"):
        ball = part == PART_NAMES.index(f"eye_{side}")
        away = points[ball] - head.joints[JOINT_NAMES.index(f"Eye{side.title()}")]
        angle = np.arccos(np.clip(away[:, 2] / np.linalg.norm(away, axis=1), -1, 1))[:, None]
        colours[ball] = np.where(
            angle < PUPIL_ANGLE, 0.02, np.where(angle < IRIS_ANGLE, iris, SCLERA)
        )
    covered = texels.image(np.ones(len(points)))
    alpha = 1 - texels.image((part == PART_NAMES.index("lashes")).astype(float))
    picture = np.dstack([push_pull(texels.image(colours), covered), alpha])
    return np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def upper_lids(texels: Texels) -> NDArray[np.bool_]:
    """Return `(n,)` texels of skin that a blink draws over the eye."""
    deltas = mean_head().expression_deltas
    drop = -np.minimum(deltas[0, :, 1], deltas[7, :, 1])
    outside = texels.topology.masks["sockets"] < 0.5
    return (texels.spread(drop * outside) > 0.006) & (_part_of(texels) == 0)


def photograph(
    atlas: NDArray[np.uint8],
    *,
    yaw: float = 0.0,
    pitch: float = 0.0,
    coefficients: ArrayLike | None = None,
    light: Light | None = None,
    hair_volume: float = 0.0,
) -> tuple[NDArray[np.uint8], PhotoFit]:
    """Take a picture of the mean head before a blue backdrop; return it with its true fit.

    Args:
        atlas: Albedo.
        yaw: Radians; positive turns the face toward its own left.
        pitch: Radians; positive raises the face.
        coefficients: `(52,)`.
        light: Even light that shows the albedo as it is when left out.
        hair_volume: Metres by which the cap stands off the scalp.
    """
    head = mean_head()
    weights = np.zeros(52) if coefficients is None else np.asarray(coefficients, float)
    vertices = head.vertices(weights)
    camera = Camera(PICTURE, PICTURE, 1.9 * PICTURE)
    rotation = axis_angle_matrix([0, yaw, 0]) @ axis_angle_matrix([-pitch, 0, 0])
    pose = Pose(rotation, np.array([0, 0, -0.62]) - rotation @ [0, 0.02, 0.02])
    shown = vertices
    if hair_volume:
        away = vertices - np.array([0, 0.03, 0.01], np.float32)
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        shown = vertices + hair_volume * head.topology.masks["hair"][:, None] * away
    renderer = Renderer(head, {"albedo": atlas}, neck_fade=0)
    image = renderer.render(shown, pose=pose, camera=camera, light=light, background=BLUE)
    pixels = camera.project(pose.apply(head.landmarks(vertices).astype(np.float64)))
    seen = np.c_[pixels, np.zeros(len(pixels))].astype(np.float32)
    landmarks = FaceLandmarks(seen, PICTURE, PICTURE)
    identity = np.zeros(load_head_model().mode_count)
    return image, PhotoFit(identity, weights, np.zeros(4), pose, camera, 0.0, landmarks)


def at_landmark(atlas: NDArray[np.uint8], number: int) -> NDArray[np.float64]:
    """Return the mean colour in [0, 1] of the texels around a landmark."""
    topology = mean_head().topology
    face = topology.landmark_faces[number]
    place = topology.landmark_barycentric[number] @ topology.uv[topology.faces_uv[face]]
    column, row = (place * atlas.shape[0]).astype(int)
    return atlas[row - 1 : row + 2, column - 1 : column + 2, :3].mean(axis=(0, 1)) / 255


def _blend(colours: NDArray[np.floating], share: NDArray[np.floating], colour: Colour) -> None:
    colours += share[:, None] * (np.array(colour) - colours)


def _part_of(texels: Texels) -> NDArray[np.int64]:
    """Return the number of each texel's part, order `PART_NAMES`."""
    stops = [texels.topology.parts[name].faces.stop for name in PART_NAMES]
    return np.searchsorted(stops, texels.face, side="right")
