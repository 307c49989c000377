"""A person with known hair: a cap of a given height, drawn over a plain head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lifemask.appearance import HairCap
from lifemask.appearance._hair_grid import HairGrid, make_grid
from lifemask.geometry import Camera, Pose, axis_angle_matrix, vertex_normals
from lifemask.heads import Head, load_head_model
from lifemask.rendering import Renderer
from lifemask.tracking import FaceLandmarks, PhotoFit

SIZE = 420
SKIN = (205, 160, 135)
HAIR = (70, 45, 30)
BACKDROP = (60, 200, 70)


@dataclass(frozen=True)
class Staged:
    """A picture and everything that is true of it."""

    head: Head
    grid: HairGrid
    image: np.ndarray
    fit: PhotoFit
    person: np.ndarray
    hair: np.ndarray
    cap: HairCap | None


def small_cap() -> HairCap:
    """Return a flat square of hair a little above the crown, seen from the front."""
    x = np.linspace(-0.03, 0.03, 4)
    points = np.array([(a, 0.14 + b, 0.12) for b in x for a in x], np.float32)
    faces = []
    for row in range(3):
        for column in range(3):
            a = 4 * row + column
            faces += [(a, a + 1, a + 4), (a + 1, a + 5, a + 4)]
    uv = (points[:, :2] - points[:, :2].min(axis=0)) / np.float32(0.06)
    normals = np.tile(np.float32([0, 0, 1]), (16, 1))
    return HairCap(points, np.array(faces, np.int32), uv.astype(np.float32), normals)


def stage(*, height: float | None, long: bool = False, yaw: float = 0.0) -> Staged:
    """Draw a person from the front whose hair stands `height` m off the skull, or who is bald."""
    model = load_head_model()
    head = model.head(np.zeros(model.mode_count))
    grid = make_grid(head, float(head.neutral[head.topology.neck_loop, 1].mean()))
    camera = Camera(SIZE, SIZE, 2.1 * SIZE)
    pose = Pose(axis_angle_matrix([0, yaw, 0]), np.array([0.0, -0.03, -0.75]))
    size = 128
    textures = {"albedo": np.full((size, size, 3), SKIN, np.uint8)}
    cap = None if height is None else _cap(grid, height, long)
    if cap is not None:
        textures["hair"] = _strands(size)
    look = {"pose": pose, "camera": camera}
    renderer = Renderer(head, textures, hair=cap, supersampling=2, neck_fade=0)
    image = renderer.render(background=BACKDROP, **look)
    person = renderer.render(alpha=True, **look)[..., 3] / np.float32(255)
    hair = np.zeros(person.shape, bool)
    if cap is not None:
        marked = textures | {"hair": np.full((4, 4, 4), (255, 0, 255, 255), np.uint8)}
        flat = Renderer(head, marked, hair=cap, supersampling=2, neck_fade=0)
        seen = flat.render(light=None, background=(0, 255, 0), **look).astype(int)
        hair = (seen[..., 0] > 200) & (seen[..., 1] < 60)
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = camera.project(pose.apply(head.landmarks(head.neutral)))
    fit = PhotoFit(
        np.zeros(model.mode_count), np.zeros(52), np.zeros(4), pose, camera, 0.0,
        FaceLandmarks(points, SIZE, SIZE),
    )  # fmt: skip
    return Staged(head, grid, image, fit, person.astype(np.float32), hair, cap)


def _cap(grid: HairGrid, height: float, long: bool) -> HairCap:
    usual = grid.usual > 0.5
    radius = grid.skull + height
    if long:
        behind = np.abs(grid.azimuth) > 1.25
        widest = np.maximum.accumulate(radius[17:], axis=0)
        radius[17:] = np.where(behind, widest, radius[17:])
        usual[17:] |= behind
    points = grid.points(radius)
    shown = grid.at_vertices(usual.astype(float)) > 0.5
    faces = grid.faces[shown[grid.faces].all(axis=1)]
    normals = vertex_normals(points, grid.faces).astype(np.float32)
    return HairCap(points.astype(np.float32), faces, grid.uv, normals)


def _strands(size: int) -> np.ndarray:
    noise = np.random.default_rng(1).normal(1.0, 0.12, (size, size, 1))
    colour = np.clip(np.array(HAIR) * noise, 0, 255).astype(np.uint8)
    return np.dstack([colour, np.full((size, size), 255, np.uint8)])
