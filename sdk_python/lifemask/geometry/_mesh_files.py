"""Read triangle meshes from OBJ, PLY and GLB files that others made.

The three formats are small, and files come from anywhere: own readers that check every count and
index against the bytes that are there, that follow no path out of the file's folder, and that
have no dependency, are shorter than guarding a general library against the same files. What a
head scan does not need (materials, several textures, scenes' animation, compressed buffers) is
left out or refused by name.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask.geometry._mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MESH_SUFFIXES: Final = frozenset({".obj", ".ply", ".glb"})
MOST_BYTES: Final = 512 << 20
MOST_POINTS: Final = 5_000_000
MOST_FACES: Final = 10_000_000

_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class MeshFormatError(ValueError):
    """Bytes that are no mesh of the format they claim; becomes an `InputError`."""


def read_mesh(path: str | Path) -> Mesh:
    """Read a mesh; polygons become triangles, scenes become one mesh.

    Args:
        path: `.obj` (with vertex colours, or one picture named by its material file in the same
            folder), `.ply` (text or binary, with vertex colours) or `.glb` (with vertex colours
            or an embedded picture).

    Raises:
        InputError: There is no such file, it is too large, of another kind, damaged, or has no
            triangles.
    """
    path = Path(path)
    reader = _readers().get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path.name} is not a mesh file that can be read",
            hint="Give an OBJ, PLY or GLB file.",
        )
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(
                f"{path.name} is larger than {MOST_BYTES >> 20} MiB",
                hint="Reduce the scan; half a million triangles show all that the head can follow.",
            )
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror or error}",
            hint="Check the spelling of the path.",
        ) from error
    try:
        return checked(reader(raw, path.parent))
    except (MeshFormatError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} is not a mesh that can be read: {error}",
            hint="Export the scan again as binary PLY, OBJ or GLB without compression.",
        ) from error


def _readers() -> dict[str, Callable[[bytes, Path], Mesh]]:
    from lifemask.geometry._mesh_glb import read_glb
    from lifemask.geometry._mesh_ply import read_ply

    return {".obj": read_obj, ".ply": lambda raw, _: read_ply(raw), ".glb": read_glb}


def checked(mesh: Mesh) -> Mesh:
    """Return a mesh without broken triangles.

    Raises:
        MeshFormatError: An index points nowhere, there is too much of something, or no triangle.
    """
    if len(mesh.points) > MOST_POINTS or len(mesh.faces) > MOST_FACES:
        raise MeshFormatError(f"it has more than {MOST_POINTS} points or {MOST_FACES} triangles")
    if mesh.faces.size and not 0 <= mesh.faces.min() <= mesh.faces.max() < len(mesh.points):
        raise MeshFormatError("a face names a point that is not there")
    if mesh.uv is not None and mesh.faces_uv is not None and mesh.faces_uv.size:
        low, high = mesh.faces_uv.min(), mesh.faces_uv.max()
        if not 0 <= low <= high < len(mesh.uv):
            raise MeshFormatError("a face names a texture coordinate that is not there")
    # Points that are not finite, or so far away that nothing can be computed with them.
    finite = np.all(np.abs(np.nan_to_num(mesh.points, nan=np.inf)) < 1e9, axis=1, keepdims=True)
    if not mesh.faces.size:
        raise MeshFormatError("it has no triangles")
    a, b, c = mesh.faces.T
    kept = np.all(finite[mesh.faces, 0], axis=1) & (a != b) & (b != c) & (a != c)
    if not kept.any():
        raise MeshFormatError("it has no triangles")
    points = np.where(finite, mesh.points, 0.0)
    colours = mesh.colours
    if colours is not None:
        colours = np.clip(np.nan_to_num(colours), 0.0, 1.0).astype(np.float32)
    corners = mesh.faces_uv[kept] if mesh.faces_uv is not None else None
    uv = None if mesh.uv is None else np.nan_to_num(mesh.uv, posinf=0.0, neginf=0.0)
    return Mesh(points, mesh.faces[kept], colours, uv, corners, mesh.texture)


def fan(counts: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how polygons of these corner counts split into triangles.

    Returns:
        The polygon of each triangle `(m,)`, and its corners within the polygon `(m, 3)`.
    """
    triangles = np.maximum(counts - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), triangles)
    first = np.repeat(np.cumsum(triangles) - triangles, triangles)
    second = np.arange(len(polygon)) - first + 1
    return polygon, np.stack([np.zeros_like(second), second, second + 1], axis=1)


def read_obj(raw: bytes, folder: Path) -> Mesh:
    """Read Wavefront OBJ."""
    lines = raw.decode("utf-8", errors="replace").splitlines()
    points, texture_points, polygons, materials = [], [], [], []
    sofar: list[tuple[int, int]] = []
    for line in lines:
        word, _, rest = line.lstrip().partition(" ")
        if word == "v":
            points.append(rest.split())
        elif word == "vt":
            texture_points.append(rest.split()[:2])
        elif word == "f":
            polygons.append(rest.split())
            sofar.append((len(points), len(texture_points)))
        elif word == "mtllib":
            materials.append(rest.strip())
    if len(points) > MOST_POINTS or len(polygons) > MOST_FACES:
        raise MeshFormatError("it has too many points or faces")
    positions, colours = _obj_points(points)
    counts = np.array([len(polygon) for polygon in polygons], np.int64)
    corners, corners_uv = _obj_corners(polygons, sofar, len(positions), len(texture_points))
    polygon, within = fan(counts)
    rows = (np.cumsum(counts) - counts)[polygon][:, None] + within
    texture = _obj_texture(materials, folder) if texture_points else None
    textured = texture is not None and corners_uv is not None
    uv = _numbers(texture_points, 2).astype(np.float32) if textured else None
    return Mesh(
        positions,
        corners[rows].astype(np.int32).reshape(-1, 3),
        colours,
        None if uv is None else uv * [1, -1] + np.array([0, 1], np.float32),
        corners_uv[rows].astype(np.int32) if textured and corners_uv is not None else None,
        texture if textured else None,
    )


def _numbers(rows: list[list[str]], width: int) -> NDArray[np.float64]:
    """Parse rows of numbers; a row that is too short, or no number, is an error."""
    try:
        array = np.array([row[:width] for row in rows], np.float64)
    except ValueError as error:
        raise MeshFormatError("a line holds something else than numbers") from error
    if len(rows) and array.shape != (len(rows), width):
        raise MeshFormatError("a line holds too few numbers")
    return array.reshape(len(rows), width)


def _obj_points(rows: list[list[str]]) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
    """Return points and, where each `v` has six numbers or more, colours."""
    coloured = bool(rows) and all(len(row) >= 6 for row in rows)
    values = _numbers(rows, 6 if coloured else 3)
    return values[:, :3], values[:, 3:].astype(np.float32) if coloured else None


def _obj_corners(
    polygons: list[list[str]], sofar: list[tuple[int, int]], points: int, texture_points: int
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Return point and texture indices of all corners.

    Negative numbers count back from the points that stood above the face, which `sofar` has.
    """
    words = [word.split("/") for polygon in polygons for word in polygon]
    try:
        corners = np.array([int(word[0]) for word in words], np.int64)
        textured = texture_points > 0 and all(len(word) > 1 and word[1] for word in words)
        uv = np.array([int(word[1]) for word in words], np.int64) if textured else None
    except (ValueError, OverflowError) as error:
        raise MeshFormatError("a face holds something else than numbers") from error
    counts = [len(polygon) for polygon in polygons]
    above = np.repeat(np.array(sofar, np.int64).reshape(-1, 2), counts, axis=0)
    corners = np.where(corners < 0, corners + above[:, 0], corners - 1)
    if uv is not None:
        uv = np.where(uv < 0, uv + above[:, 1], uv - 1)
    for index, count in ((corners, points), (uv, texture_points)):
        if index is not None and index.size and not 0 <= index.min() <= index.max() < count:
            raise MeshFormatError("a face names a point that is not there")
    return corners, uv


def _obj_texture(materials: list[str], folder: Path) -> NDArray[np.uint8] | None:
    """Return the one picture that the material file names; only from the same folder."""
    named: set[str] = set()
    for material in materials:
        path = _beside(folder, material, frozenset({".mtl"}))
        if path is None:
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            word, _, rest = line.strip().partition(" ")
            if word == "map_Kd" and rest.split():
                named.add(rest.strip().split("/")[-1].split("\\")[-1])
    if len(named) != 1:
        return None
    path = _beside(folder, named.pop(), _PICTURES)
    return None if path is None else decode_picture(path.read_bytes())


def _beside(folder: Path, name: str, suffixes: frozenset[str]) -> Path | None:
    """Return a file of the same folder, whatever folders its name speaks of."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    if Path(base).suffix.lower() not in suffixes:
        return None
    path = folder / base
    return path if path.is_file() and path.stat().st_size <= MOST_BYTES else None


def decode_picture(raw: bytes) -> NDArray[np.uint8]:
    """Decode an embedded or neighbouring picture to `(h, w, 3)` sRGB.

    Raises:
        MeshFormatError: It is no JPEG, PNG or WebP picture, or larger than 16,384 texels.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(raw), formats=["JPEG", "PNG", "WEBP"]) as picture:
            if max(picture.size) > 16384:
                raise MeshFormatError("its texture is larger than 16384 texels")
            return np.asarray(picture.convert("RGB"), np.uint8)
    except MeshFormatError:
        raise
    # Damaged pictures raise almost anything in the decoders.
    except Exception as error:
        raise MeshFormatError("its texture cannot be decoded") from error
