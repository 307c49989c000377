"""Binary glTF 2.0: the triangles of all meshes in the scene."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.geometry._camera import quaternion_matrix
from lifemask.geometry._mesh import Mesh
from lifemask.geometry._mesh_files import (
    MOST_FACES,
    MOST_POINTS,
    MeshFormatError,
    decode_picture,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_MAGIC: Final = 0x46546C67
_JSON, _BIN = 0x4E4F534A, 0x004E4942
_COMPONENTS: Final = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Final = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TRIANGLES: Final = 4
_DEEPEST: Final = 64
_MOST_PRIMITIVES: Final = 10_000


@dataclass(frozen=True)
class _Piece:
    points: NDArray[np.float64]
    faces: NDArray[np.int64]
    colours: NDArray[np.float32] | None
    uv: NDArray[np.float32] | None
    texture: int | None


def read_glb(raw: bytes, folder: Path | None = None) -> Mesh:
    """Read binary glTF; nodes' transforms are applied, skins and morphs are not.

    Raises:
        MeshFormatError: It is damaged, has no triangles, or is compressed.
    """
    del folder  # nothing outside the file is read
    try:
        return _read(raw)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, MeshFormatError):
            raise
        raise MeshFormatError("its description is damaged") from error
    except (struct.error, RecursionError) as error:
        raise MeshFormatError("it is damaged") from error


def _read(raw: bytes) -> Mesh:
    document, blob = _chunks(raw)
    for extension in document.get("extensionsRequired", []):
        if extension not in ("KHR_materials_unlit", "KHR_mesh_quantization"):
            raise MeshFormatError(f"it needs {str(extension)[:60]}, which is not supported")
    pieces: list[_Piece] = []
    nodes = document.get("nodes", [])
    scenes = document.get("scenes") or [{"nodes": list(range(len(nodes)))}]
    for root in scenes[document.get("scene", 0)].get("nodes", []):
        _collect(document, blob, nodes, root, np.eye(4), pieces, 0)
    if not pieces:
        raise MeshFormatError("it has no triangles")
    return _join(document, blob, pieces)


def _chunks(raw: bytes) -> tuple[dict[str, Any], bytes]:
    if len(raw) < 20:
        raise MeshFormatError("it ends too early")
    magic, version, _ = struct.unpack_from("<III", raw)
    if magic != _MAGIC or version != 2:
        raise MeshFormatError("it is no binary glTF 2.0")
    document, blob, at = None, b"", 12
    while at + 8 <= len(raw):
        size, kind = struct.unpack_from("<II", raw, at)
        content = raw[at + 8 : at + 8 + size]
        if len(content) < size:
            raise MeshFormatError("it ends too early")
        if kind == _JSON and document is None:
            document = json.loads(content.decode("utf-8"))
        elif kind == _BIN and not blob:
            blob = content
        at += 8 + size
    if not isinstance(document, dict):
        raise MeshFormatError("it has no description")
    return document, blob


def _collect(
    document: dict[str, Any],
    blob: bytes,
    nodes: list[dict[str, Any]],
    index: int,
    parent: NDArray[np.float64],
    pieces: list[_Piece],
    depth: int,
) -> None:
    """Append the triangles of a node and of those below it."""
    if depth > _DEEPEST or index < 0:
        raise MeshFormatError("its nodes go round in circles")
    node = nodes[index]
    matrix = parent @ _transform(node)
    if "mesh" in node:
        for primitive in document["meshes"][node["mesh"]]["primitives"]:
            if primitive.get("mode", _TRIANGLES) == _TRIANGLES:
                pieces.append(_piece(document, blob, primitive, matrix))
            if len(pieces) > _MOST_PRIMITIVES:
                raise MeshFormatError("it has too many meshes")
    for child in node.get("children", []):
        _collect(document, blob, nodes, child, matrix, pieces, depth + 1)


def _transform(node: dict[str, Any]) -> NDArray[np.float64]:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    rotation = quaternion_matrix(node.get("rotation", [0.0, 0.0, 0.0, 1.0]))
    matrix[:3, :3] = rotation * np.array(node.get("scale", [1.0, 1.0, 1.0]), np.float64)
    matrix[:3, 3] = node.get("translation", [0.0, 0.0, 0.0])
    return matrix


def _piece(
    document: dict[str, Any], blob: bytes, primitive: dict[str, Any], matrix: NDArray[np.float64]
) -> _Piece:
    attributes = primitive["attributes"]
    points = _accessor(document, blob, attributes["POSITION"])
    points = points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    if "indices" in primitive:
        index = _accessor(document, blob, primitive["indices"]).astype(np.int64).ravel()
    else:
        index = np.arange(len(points))
    faces = index[: len(index) // 3 * 3].reshape(-1, 3)
    if faces.size and faces.max() >= len(points):
        raise MeshFormatError("a face names a point that is not there")
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]
    colours = uv = None
    if "COLOR_0" in attributes:
        colours = _encoded(_accessor(document, blob, attributes["COLOR_0"])[:, :3])
    texture = _texture_number(document, primitive)
    if "TEXCOORD_0" in attributes and texture is not None:
        uv = _accessor(document, blob, attributes["TEXCOORD_0"]).astype(np.float32)
    same = all(len(a) == len(points) for a in (colours, uv) if a is not None)
    if not same:
        raise MeshFormatError("a mesh has attributes of different lengths")
    return _Piece(points, faces, colours, uv, texture if uv is not None else None)


def _encoded(linear: NDArray) -> NDArray[np.float32]:
    """Vertex colours in glTF are linear; ours are sRGB."""
    from lifemask.geometry._colour import linear_to_srgb

    return np.asarray(linear_to_srgb(np.clip(linear, 0.0, 1.0)), np.float32)


def _texture_number(document: dict[str, Any], primitive: dict[str, Any]) -> int | None:
    if "material" not in primitive:
        return None
    material = document["materials"][primitive["material"]]
    info = material.get("pbrMetallicRoughness", {}).get("baseColorTexture")
    if info is None or info.get("texCoord", 0) != 0:
        return None
    return document["textures"][info["index"]].get("source")


def _accessor(document: dict[str, Any], blob: bytes, index: int) -> NDArray:
    """Return the rows `(n, width)` of an accessor; normalised integers as floats."""
    accessor = document["accessors"][index]
    if "sparse" in accessor or "bufferView" not in accessor:
        raise MeshFormatError("it has sparse or empty accessors, which are not supported")
    kind = np.dtype(_COMPONENTS[accessor["componentType"]])
    width, count = _WIDTHS[accessor["type"]], accessor["count"]
    view = document["bufferViews"][accessor["bufferView"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stride = view.get("byteStride", 0) or width * kind.itemsize
    if not 0 < count <= max(MOST_POINTS, 3 * MOST_FACES) or start < 0 or view["buffer"] != 0:
        raise MeshFormatError("an accessor is damaged")
    last = start + (count - 1) * stride + width * kind.itemsize
    if last > len(blob) or stride < width * kind.itemsize:
        raise MeshFormatError("an accessor reaches over the end of the file")
    rows = np.ndarray((count, width), kind, blob, start, (stride, kind.itemsize))
    if accessor.get("normalized", False) and kind.kind in "iu":
        return rows.astype(np.float32) / np.float32(np.iinfo(kind).max)
    return rows.copy()


def _join(document: dict[str, Any], blob: bytes, pieces: list[_Piece]) -> Mesh:
    """Put the pieces together; a texture counts where the largest piece has one."""
    starts = np.cumsum([0, *(len(piece.points) for piece in pieces)])
    points = np.concatenate([piece.points for piece in pieces])
    faces = np.concatenate([p.faces + s for p, s in zip(pieces, starts, strict=False)])
    if len(points) > MOST_POINTS or len(faces) > MOST_FACES:
        raise MeshFormatError("it has too many points or faces")
    textures = {piece.texture for piece in pieces}
    colours = None
    if all(piece.colours is not None for piece in pieces):
        colours = np.concatenate([p.colours for p in pieces if p.colours is not None])
    if len(textures) == 1 and (number := textures.pop()) is not None:
        uv = np.concatenate([p.uv for p in pieces if p.uv is not None])
        picture = _picture(document, blob, number)
        index = faces.astype(np.int32)
        return Mesh(points, index, None, uv, index, picture)
    return Mesh(points, faces.astype(np.int32), colours)


def _picture(document: dict[str, Any], blob: bytes, number: int) -> NDArray[np.uint8]:
    image = document["images"][number]
    if "bufferView" not in image:
        raise MeshFormatError("its texture lies outside the file")
    view = document["bufferViews"][image["bufferView"]]
    start, size = view.get("byteOffset", 0), view["byteLength"]
    if start < 0 or size < 0 or start + size > len(blob):
        raise MeshFormatError("its texture reaches over the end of the file")
    return decode_picture(blob[start : start + size])
