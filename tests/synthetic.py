"""A small deterministic head with every part, for tests that need a head but not the real one."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lifemask.heads import JOINT_NAMES, PART_NAMES, Head, Part, Topology
from synthetic_shapes import EYES, bump, deltas

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = 32
FRONT = COLUMNS // 2
SKULL_ROWS = 20
MOUTH_ROW = 17
MOUTH = np.array([0.0, -0.0015, 0.104])
EYE_RADIUS = 0.012
JOINTS = np.array(
    [
        [0.0, -0.14, -0.01],
        [0.0, -0.09, -0.01],
        [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.02],
        EYES["Left"],
        EYES["Right"],
    ],
    np.float32,
)
ISLANDS = {
    "skin": (0.01, 0.01, 0.7, 0.98),
    "mouth": (0.73, 0.01, 0.26, 0.14),
    "tongue": (0.73, 0.17, 0.26, 0.1),
    "teeth_upper": (0.73, 0.29, 0.26, 0.1),
    "teeth_lower": (0.73, 0.41, 0.26, 0.1),
    "eye_left": (0.73, 0.53, 0.26, 0.15),
    "eye_right": (0.73, 0.70, 0.26, 0.15),
    "lashes": (0.73, 0.87, 0.26, 0.12),
}
"""`x, y, width, height` of each part in the atlas."""


@dataclass
class _Mesh:
    """Growing arrays; each part appends its vertices, uv and faces."""

    points: list[NDArray[np.float64]] = field(default_factory=list)
    uv: list[NDArray[np.float64]] = field(default_factory=list)
    faces: list[NDArray[np.int64]] = field(default_factory=list)
    faces_uv: list[NDArray[np.int64]] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)

    def count(self, arrays: list[NDArray]) -> int:
        return sum(map(len, arrays))

    def add(self, name, points, uv, faces, faces_uv, vertices: slice | None = None) -> None:
        """Append a part; `faces` index its own points unless `vertices` names a shared run."""
        start, first = self.count(self.points), self.count(self.faces)
        base = start if vertices is None else 0
        x, y, width, height = ISLANDS[name]
        self.faces_uv.append(np.asarray(faces_uv) + self.count(self.uv))
        self.faces.append(np.asarray(faces) + base)
        self.points.append(np.reshape(points, (-1, 3)))
        self.uv.append(np.asarray(uv) * [width, height] + [x, y])
        own = vertices or slice(start, start + len(self.points[-1]))
        self.parts[name] = Part(own, slice(first, first + len(faces)))


@functools.cache
def make_head() -> Head:
    """Return the synthetic head: about 1,800 faces, all parts, 52 local shapes, exact mirror."""
    mesh = _Mesh()
    _add_shell(mesh)
    _add_ball(mesh, "tongue", [0, -0.006, 0.075], [0.014, 0.003, 0.018])
    _add_ball(mesh, "teeth_upper", _at(MOUTH, 0.005, -0.011), [0.018, 0.0035, 0.006])
    _add_ball(mesh, "teeth_lower", _at(MOUTH, -0.005, -0.012), [0.017, 0.0035, 0.006])
    for side, centre in EYES.items():
        _add_ball(mesh, f"eye_{side.lower()}", centre, [EYE_RADIUS] * 3, along_z=True)
    _add_lashes(mesh)
    points = np.concatenate(mesh.points).astype(np.float32)
    topology = _topology(mesh, points)
    return Head(
        topology=topology,
        neutral=points,
        expression_deltas=deltas(points, topology),
        joints=JOINTS.copy(),
        joint_weights=_joint_weights(points, topology),
    )


@functools.cache
def make_textures(size: int = 256) -> dict[str, NDArray[np.uint8]]:
    """Return `albedo`, `normal` and `orm` maps `(size, size, 3)` for the synthetic head."""
    colors = {
        "skin": (205, 160, 135),
        "mouth": (120, 40, 40),
        "tongue": (190, 90, 90),
        "teeth_upper": (235, 230, 215),
        "teeth_lower": (230, 225, 210),
        "eye_left": (240, 240, 240),
        "eye_right": (240, 240, 240),
        "lashes": (30, 22, 20),
    }
    albedo = np.full((size, size, 3), 128, np.uint8)
    for name, (x, y, width, height) in ISLANDS.items():
        rows = slice(int((y - 0.005) * size), int((y + height + 0.005) * size) + 1)
        columns = slice(int((x - 0.005) * size), int((x + width + 0.005) * size) + 1)
        albedo[rows, columns] = colors[name]
        if name.startswith("eye"):
            iris = slice(rows.start, rows.start + int(0.25 * height * size))
            albedo[iris, columns] = (70, 100, 130)
    normal = np.full((size, size, 3), (128, 128, 255), np.uint8)
    orm = np.full((size, size, 3), (255, 140, 0), np.uint8)
    return {"albedo": albedo, "normal": normal, "orm": orm}


def _at(place: NDArray[np.float64], up: float, forward: float) -> NDArray[np.float64]:
    return place + np.array([0.0, up, forward])


def _lattice(rows: int, columns: int) -> tuple[NDArray, NDArray, NDArray]:
    """Faces of a closed ring lattice, the same over its seam-split uv lattice, and that uv.

    Vertex `(row, column)` is `row * columns + column`; columns wrap around.
    """
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    corners = []
    for width in (columns, columns + 1):

        def at(r: NDArray, c: NDArray, width: int = width) -> NDArray:
            return r * width + c % width

        a, b = at(row, column), at(row + 1, column)
        c, d = at(row + 1, column + 1), at(row, column + 1)
        quads = np.stack([a, b, c, a, c, d], -1).reshape(-1, 3)
        corners.append(quads)
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns + 1), indexing="ij")
    return corners[0], corners[1], np.stack([u, v], -1).reshape(-1, 2)


def _collapse_pole(faces, faces_uv, pole_row: int, columns: int):
    """Weld one row to its first vertex and drop the faces that degenerate."""
    welded = np.where(faces // columns == pole_row, pole_row * columns, faces)
    kept = [len(set(face)) == 3 for face in welded.tolist()]
    return welded[kept], faces_uv[kept]


def _compact(points, faces):
    """Drop vertices that no face uses."""
    used, inverse = np.unique(faces, return_inverse=True)
    return points[used], inverse.reshape(-1, 3)


def _ring(y: float, radius_x: float, radius_z: float, centre_z: float) -> NDArray:
    angle = -np.pi + 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    x, z = radius_x * np.sin(angle), centre_z + radius_z * np.cos(angle)
    x[[0, FRONT]] = 0.0
    x[FRONT + 1 :] = -x[1:FRONT][::-1]
    return np.stack([x, np.full(COLUMNS, y), z], -1)


def _add_shell(mesh: _Mesh) -> None:
    """Skull and neck as one lattice, with a hole for the mouth and the cavity behind it."""
    polar = np.radians(140) * np.arange(SKULL_ROWS + 1) / SKULL_ROWS
    rings = [
        _ring(0.06 + 0.115 * np.cos(p), 0.076 * np.sin(p), 0.1 * np.sin(p), 0.02) for p in polar
    ]
    for y, radius in (
        (-0.05, 0.054),
        (-0.075, 0.055),
        (-0.1, 0.057),
        (-0.12, 0.064),
        (-0.14, 0.08),
    ):
        rings.append(_ring(y, radius, radius, -0.005))
    points = np.concatenate(rings)
    inner = np.arange(FRONT - 1, FRONT + 2)
    points[MOUTH_ROW * COLUMNS + inner, 1] = MOUTH[1] + 0.0015
    points[(MOUTH_ROW + 1) * COLUMNS + inner, 1] = MOUTH[1] - 0.0015
    faces, faces_uv, uv = _lattice(len(rings), COLUMNS)
    row, column = np.divmod(np.arange(len(faces)) // 2, COLUMNS)
    solid = ~((row == MOUTH_ROW) & (column >= FRONT - 2) & (column < FRONT + 2))
    faces, faces_uv = _collapse_pole(faces[solid], faces_uv[solid], 0, COLUMNS)
    points, faces = _compact(points, faces)
    rim = max(boundary_loops(faces), key=lambda loop: points[loop][:, 1].max())
    cavity_points, cavity_faces, cavity_uv_faces, cavity_uv = _cavity(points, rim)
    shell = slice(0, len(points) + len(cavity_points))
    mesh.add("skin", np.concatenate([points, cavity_points]), uv, faces, faces_uv)
    mesh.add("mouth", [], cavity_uv, cavity_faces, cavity_uv_faces, vertices=shell)


def _cavity(points: NDArray, rim: list[int]):
    """Rings behind the rim that widen, narrow and close; faces look into the cavity."""
    count, base = len(rim), len(points)
    edge = points[rim]
    rings = []
    for depth, widen in ((0.006, 0.011), (0.03, 0.012)):
        ring = edge - [0, 0, depth]
        ring[:, 1] = MOUTH[1] + np.sign(edge[:, 1] - MOUTH[1]) * widen
        rings.append(ring)
    added = np.concatenate([*rings, [[0.0, MOUTH[1], 0.05]]])
    index = np.concatenate([rim, base + np.arange(2 * count)]).reshape(3, count)
    following = np.roll(index, -1, axis=1)
    faces, columns = [], np.arange(count)
    uv_at = (np.arange(3)[:, None] * (count + 1)) + columns
    faces_uv = []
    for r in range(2):
        faces += [np.stack([following[r], index[r], index[r + 1]], -1)]
        faces += [np.stack([following[r], index[r + 1], following[r + 1]], -1)]
        faces_uv += [np.stack([uv_at[r] + 1, uv_at[r], uv_at[r + 1]], -1)]
        faces_uv += [np.stack([uv_at[r] + 1, uv_at[r + 1], uv_at[r + 1] + 1], -1)]
    tip = base + 2 * count
    faces += [np.stack([following[2], index[2], np.full(count, tip)], -1)]
    faces_uv += [np.stack([uv_at[2] + 1, uv_at[2], 3 * (count + 1) + columns], -1)]
    v, u = np.meshgrid(np.arange(3) / 3, np.arange(count + 1) / count, indexing="ij")
    tips = np.stack([(columns + 0.5) / count, np.ones(count)], -1)
    uv = np.concatenate([np.stack([u, v], -1).reshape(-1, 2), tips])
    return added, np.concatenate(faces), np.concatenate(faces_uv), uv


def _add_ball(mesh: _Mesh, name, centre, radii, *, along_z: bool = False) -> None:
    rows, columns = (9, 12) if along_z else (5, 8)
    polar = np.pi * np.arange(rows) / (rows - 1)
    around = -np.pi + 2 * np.pi * np.arange(columns) / columns
    x = np.outer(np.sin(polar), np.sin(around))
    y = np.repeat(np.cos(polar)[:, None], columns, 1)
    z = np.outer(np.sin(polar), np.cos(around))
    unit = np.stack([z, x, y] if along_z else [x, y, z], -1).reshape(-1, 3)
    faces, faces_uv, uv = _lattice(rows, columns)
    faces, faces_uv = _collapse_pole(faces, faces_uv, 0, columns)
    faces, faces_uv = _collapse_pole(faces, faces_uv, rows - 1, columns)
    points, faces = _compact(unit * radii + centre, faces)
    mesh.add(name, points, uv, faces, faces_uv)


def _add_lashes(mesh: _Mesh) -> None:
    points, uv, faces = [], [], []
    angle = np.radians(np.linspace(-50, 50, 7))
    for side, (sign, centre) in enumerate(zip((1, -1), EYES.values(), strict=True)):
        base = len(points)
        for row, (elevation, radius) in enumerate(((0.6, 0.0128), (0.8, 0.018))):
            for k, a in enumerate(angle):
                offset = [np.sin(a) * np.cos(elevation), np.sin(elevation), np.cos(a) * 0.8]
                points.append(centre + radius * np.array(offset) * [sign, 1, 1])
                uv.append([k / 6, 0.5 * side + 0.45 * row])
        for k in range(6):
            a, b, c, d = (base + i for i in (k + 7, k, k + 1, k + 8))
            quad = [[a, b, c], [a, c, d]]
            faces += quad if sign > 0 else [face[::-1] for face in quad]
    mesh.add("lashes", points, uv, faces, faces)


def boundary_loops(faces: NDArray[np.integer]) -> list[list[int]]:
    """Return the open edges of a mesh as vertex loops, each in the direction of its faces."""
    edges = {(int(a), int(b)) for f in faces for a, b in zip(f, np.roll(f, -1), strict=True)}
    following = dict(sorted((a, b) for a, b in edges if (b, a) not in edges))
    loops = []
    while following:
        start = min(following)
        loop = [start]
        while (after := following.pop(loop[-1])) != start:
            loop.append(after)
        loops.append(loop)
    return loops


def _topology(mesh: _Mesh, points: NDArray[np.float32]) -> Topology:
    parts = {name: mesh.parts[name] for name in PART_NAMES}
    faces = np.concatenate(mesh.faces).astype(np.int32)
    shell = faces[: parts["mouth"].faces.stop]
    landmark_faces, landmark_barycentric = _landmarks(points, faces, parts)
    return Topology(
        asset_id="synthetic-head",
        asset_version="1.0.0",
        asset_sha256=hashlib.sha256(points.tobytes() + faces.tobytes()).hexdigest(),
        faces=faces,
        faces_uv=np.concatenate(mesh.faces_uv).astype(np.int32),
        uv=np.concatenate(mesh.uv).astype(np.float32),
        parts=parts,
        masks=_masks(points, parts),
        mirror=_mirror(points, parts),
        landmark_faces=landmark_faces,
        landmark_barycentric=landmark_barycentric,
        neck_loop=np.array(boundary_loops(shell)[0], np.int32),
    )


def _mirror(points: NDArray[np.float32], parts: dict[str, Part]) -> NDArray[np.int32]:
    other = {"eye_left": "eye_right", "eye_right": "eye_left"}
    mirror = np.empty(len(points), np.int32)
    for name, part in parts.items():
        target = parts[other.get(name, name)].vertices
        flipped = points[part.vertices] * np.array([-1, 1, 1], np.float32)
        distance = np.linalg.norm(flipped[:, None] - points[target][None], axis=-1)
        if distance.min(axis=1).max() > 1e-6:
            raise AssertionError(f"{name} is not symmetric")
        mirror[part.vertices] = target.start + distance.argmin(axis=1)
    return mirror


def _masks(points: NDArray[np.float32], parts: dict[str, Part]) -> dict[str, NDArray[np.float32]]:
    x, y, z = points.astype(np.float64).T
    skin = np.zeros(len(points))
    skin[parts["skin"].vertices] = 1
    both = [EYES["Left"], EYES["Right"]]
    regions = {
        "face": np.clip((z - 0.05) / 0.02, 0, 1) * np.clip((y + 0.05) / 0.02, 0, 1),
        "lips": bump(points, MOUTH, 0.03),
        "eyelids": sum(bump(points, eye, 0.025) for eye in both),
        "ears": np.clip((np.abs(x) - 0.065) / 0.008, 0, 1),
        "neck": np.clip((-0.03 - y) / 0.03, 0, 1),
        "scalp": np.clip((y - 0.11) / 0.02, 0, 1),
        "brows": sum(bump(points, _at(eye, 0.022, 0), 0.02) for eye in both),
        "nose": bump(points, [0, 0.03, 0.12], 0.025),
        "forehead": bump(points, [0, 0.11, 0.1], 0.04),
    }
    return {name: np.clip(mask * skin, 0, 1).astype(np.float32) for name, mask in regions.items()}


def _landmarks(points, faces, parts) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Spread 468 points over the front of the skin and five over each iris."""
    golden = np.pi * (3 - np.sqrt(5))
    k = np.arange(468)
    radius, angle = np.sqrt((k + 0.5) / 468), k * golden
    target = np.zeros((478, 3))
    target[:468, 0] = 0.058 * radius * np.cos(angle)
    target[:468, 1] = 0.04 + 0.075 * radius * np.sin(angle)
    target[33], target[263] = [-0.046, 0.065, 0.0], [0.046, 0.065, 0.0]
    for start, side in ((468, "Right"), (473, "Left")):
        ring = [[0, 0], [1, 0], [0, 1], [-1, 0], [0, -1]]
        target[start : start + 5, :2] = EYES[side][:2] + 0.004 * np.array(ring)
    found = np.empty(478, np.int32)
    weights = np.empty((478, 3), np.float32)
    for rows, name in ((slice(0, 468), "skin"), (slice(468, 473), "eye_right"),
                       (slice(473, 478), "eye_left")):  # fmt: skip
        part = parts[name].faces
        found[rows], weights[rows] = _cast(target[rows], points, faces[part])
        found[rows] += part.start
    return found, weights


def _cast(target: NDArray, points: NDArray, faces: NDArray):
    """Drop the targets along z onto the frontmost face; the nearest one where nothing is hit."""
    corners = points[faces].astype(np.float64)
    edges = corners[:, 1:, :2] - corners[:, :1, :2]
    area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    frontal = np.flatnonzero(area > 1e-9)
    offset = target[:, None, :2] - corners[None, frontal, 0, :2]
    e0, e1 = edges[frontal, 0], edges[frontal, 1]
    b1 = (offset[..., 0] * e1[:, 1] - offset[..., 1] * e1[:, 0]) / area[frontal]
    b2 = (e0[:, 0] * offset[..., 1] - e0[:, 1] * offset[..., 0]) / area[frontal]
    barycentric = np.stack([1 - b1 - b2, b1, b2], -1)
    outside = np.clip(-barycentric, 0, None).sum(-1)
    z = np.einsum("tfk,fk->tf", barycentric, corners[frontal, :, 2])
    best = np.argmin(np.where(outside > 1e-9, 1 + outside, -z), axis=1)
    weights = np.clip(barycentric[np.arange(len(target)), best], 0, None)
    return frontal[best], weights / weights.sum(1, keepdims=True)


def _joint_weights(points: NDArray[np.float32], topology: Topology) -> NDArray[np.float32]:
    y = points[:, 1]
    head = np.clip((y + 0.08) / 0.05, 0, 1)
    root = np.clip((-0.1 - y) / 0.03, 0, 1)
    weights = np.zeros((len(points), len(JOINT_NAMES)), np.float32)
    weights[:, JOINT_NAMES.index("Head")] = head
    weights[:, JOINT_NAMES.index("Root")] = root
    weights[:, JOINT_NAMES.index("Neck")] = 1 - head - root
    for part, joint in (("eye_left", "EyeLeft"), ("eye_right", "EyeRight")):
        rows = topology.parts[part].vertices
        weights[rows] = np.eye(len(JOINT_NAMES))[JOINT_NAMES.index(joint)]
    return weights
