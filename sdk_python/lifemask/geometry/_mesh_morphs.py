"""Write morph targets into binary glTF: into a user's own file, or into one made of a mesh."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.geometry._mesh_files import MeshFormatError
from lifemask.geometry._mesh_glb import _TRIANGLES, _accessor, _chunks, _transform
from lifemask.geometry._surface import vertex_normals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.geometry._mesh import Mesh

_FLOAT: Final = 5126
_UNSIGNED: Final = 5125
_HEADER: Final = "<III"


def add_morph_targets(raw: bytes, names: Sequence[str], deltas: NDArray[np.floating]) -> bytes:
    """Return a binary glTF file with morph targets; everything else in it stays as it was.

    Meshes keep targets of other names before the new ones; of a mesh that stands in the scene
    twice, the first place counts. Normals get targets where the mesh has normals.

    Args:
        raw: The file, as `read_mesh` read it.
        names: Of the targets.
        deltas: `(len(names), n, 3)` in the file's scene frame and unit, in the order of
            `Mesh.points`.

    Raises:
        MeshFormatError: The file is damaged.
        ValueError: There are not as many deltas as points.
    """
    document, blob = _chunks(raw)
    writer = _Writer(document, bytearray(blob))
    start = 0
    done: set[int] = set()
    for mesh, matrix in _meshes(document):
        inverse = np.linalg.inv(matrix[:3, :3])
        primitives = document["meshes"][mesh]["primitives"]
        counts = [
            len(_accessor(document, blob, one["attributes"]["POSITION"])) for one in primitives
        ]
        fresh = mesh not in done
        done.add(mesh)
        if fresh:
            _drop(document["meshes"][mesh], names)
        for primitive, count in zip(primitives, counts, strict=True):
            triangles = primitive.get("mode", _TRIANGLES) == _TRIANGLES
            mine = np.zeros((len(names), count, 3))
            if triangles:
                mine = np.asarray(deltas[:, start : start + count], np.float64) @ inverse.T
                start += count
            if fresh:
                _add(writer, blob, primitive, names, mine)
        if fresh:
            _name(document["meshes"][mesh], names)
    if start != deltas.shape[1]:
        raise ValueError(f"{deltas.shape[1]} deltas for {start} points")
    return writer.to_bytes()


def mesh_to_glb(
    mesh: Mesh, *, generator: str, scale: float = 1.0
) -> tuple[bytes, NDArray[np.int64]]:
    """Return a mesh as binary glTF, and for each of its vertices the mesh's point.

    Points on seams of the texture become several vertices.

    Args:
        mesh: In its own frame.
        generator: Who writes the file.
        scale: Metres per unit of the mesh.
    """
    corners, rows = mesh.faces.reshape(-1), None
    if mesh.uv is not None and mesh.faces_uv is not None:
        pairs = np.c_[corners, mesh.faces_uv.reshape(-1)]
        vertices, rows = np.unique(pairs, axis=0, return_inverse=True)
        source = vertices[:, 0].astype(np.int64)
    else:
        source, rows = np.unique(corners, return_inverse=True)
        vertices = source[:, None]
    points = scale * mesh.points[source]
    document: dict[str, Any] = {"asset": {"version": "2.0", "generator": generator}}
    writer = _Writer(document, bytearray())
    normals = vertex_normals(mesh.points, mesh.faces)[source]
    attributes = {"POSITION": writer.add(points, bounds=True), "NORMAL": writer.add(normals)}
    material: dict[str, Any] = {"pbrMetallicRoughness": {"metallicFactor": 0.0}}
    if mesh.uv is not None:
        attributes["TEXCOORD_0"] = writer.add(mesh.uv[vertices[:, 1]])
    elif mesh.colours is not None:
        from lifemask.geometry._colour import srgb_to_linear

        attributes["COLOR_0"] = writer.add(np.asarray(srgb_to_linear(mesh.colours[source])))
    if mesh.uv is not None and mesh.texture is not None:
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(mesh.texture).save(stream, "PNG")
        document["images"] = [
            {"bufferView": writer.view(stream.getvalue()), "mimeType": "image/png"}
        ]
        document["textures"] = [{"source": 0}]
        material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
    indices = writer.add_indices(np.reshape(rows, -1))
    primitive = {"attributes": attributes, "indices": indices, "material": 0}
    document["materials"] = [material]
    document["meshes"] = [{"name": "Head", "primitives": [primitive]}]
    document["nodes"] = [{"name": "Head", "mesh": 0}]
    document["scenes"], document["scene"] = [{"nodes": [0]}], 0
    return writer.to_bytes(), source.astype(np.int64)


def _meshes(document: dict[str, Any]) -> list[tuple[int, NDArray[np.float64]]]:
    """Return the meshes of the scene in the order in which `read_glb` joins them."""
    nodes = document.get("nodes", [])
    scenes = document.get("scenes") or [{"nodes": list(range(len(nodes)))}]
    found: list[tuple[int, NDArray[np.float64]]] = []

    def visit(index: int, parent: NDArray[np.float64]) -> None:
        matrix = parent @ _transform(nodes[index])
        if "mesh" in nodes[index]:
            found.append((nodes[index]["mesh"], matrix))
        for child in nodes[index].get("children", []):
            visit(child, matrix)

    for root in scenes[document.get("scene", 0)].get("nodes", []):
        visit(root, np.eye(4))
    return found


def _add(
    writer: _Writer,
    blob: bytes,
    primitive: dict[str, Any],
    names: Sequence[str],
    deltas: NDArray[np.float64],
) -> None:
    """Append the targets of one primitive, in its own frame."""
    document = writer.document
    attributes = primitive["attributes"]
    points = _accessor(document, blob, attributes["POSITION"]).astype(np.float64)
    faces = None
    if "NORMAL" in attributes and primitive.get("mode", _TRIANGLES) == _TRIANGLES:
        if "indices" in primitive:
            index = _accessor(document, blob, primitive["indices"]).astype(np.int64).ravel()
        else:
            index = np.arange(len(points))
        faces = _welded(points, index[: len(index) // 3 * 3].reshape(-1, 3))
    rest = None if faces is None else _normals(points, *faces)
    targets = primitive.setdefault("targets", [])
    for name, delta in zip(names, deltas, strict=True):
        target = {"POSITION": writer.add(delta, bounds=True, name=name)}
        if faces is not None and rest is not None:
            target["NORMAL"] = writer.add(_normals(points + delta, *faces) - rest)
        targets.append(target)


def _welded(
    points: NDArray[np.float64], faces: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return faces over places, the place of each point, and one point of each place."""
    step = max(float(np.ptp(points, axis=0).max()), 1e-12) * 1e-6
    _, first, place = np.unique(
        np.round(points / step).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    place = np.reshape(place, -1)
    return place[faces], place, first


def _normals(
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    place: NDArray[np.int64],
    first: NDArray[np.int64],
) -> NDArray[np.float64]:
    return vertex_normals(points[first], faces)[place]


def _drop(mesh: dict[str, Any], names: Sequence[str]) -> None:
    """Remove the targets of a mesh that are made anew."""
    extras = mesh.get("extras")
    extras = extras if isinstance(extras, dict) else {}
    known = extras.get("targetNames", [])
    count = len(mesh["primitives"][0].get("targets", []))
    keep = [i for i in range(count) if i >= len(known) or known[i] not in names]
    if len(keep) == count:
        return
    for primitive in mesh["primitives"]:
        primitive["targets"] = [primitive["targets"][i] for i in keep]
    mesh["extras"] = {**extras, "targetNames": [known[i] for i in keep if i < len(known)]}
    if "weights" in mesh:
        mesh["weights"] = [mesh["weights"][i] for i in keep]


def _name(mesh: dict[str, Any], names: Sequence[str]) -> None:
    """Name the targets and give them weights of zero."""
    count = len(mesh["primitives"][0]["targets"])
    before = count - len(names)
    extras = mesh.get("extras")
    extras = extras if isinstance(extras, dict) else {}
    known = list(extras.get("targetNames", []))[:before]
    known += [f"target{i}" for i in range(len(known), before)]
    mesh["extras"] = {**extras, "targetNames": [*known, *names]}
    weights = list(mesh.get("weights", []))[:before]
    mesh["weights"] = weights + [0.0] * (count - len(weights))


class _Writer:
    """Appends to the description and the bytes of a binary glTF file."""

    def __init__(self, document: dict[str, Any], blob: bytearray) -> None:
        self.document, self._blob = document, blob

    def view(self, data: bytes) -> int:
        self._blob.extend(bytes(-len(self._blob) % 4))
        views = self.document.setdefault("bufferViews", [])
        views.append({"buffer": 0, "byteOffset": len(self._blob), "byteLength": len(data)})
        self._blob.extend(data)
        return len(views) - 1

    def add(self, rows: NDArray, *, bounds: bool = False, name: str | None = None) -> int:
        """Append `(n, 2 or 3)` floats."""
        rows = np.ascontiguousarray(rows, "<f4")
        entry: dict[str, Any] = {
            "bufferView": self.view(rows.tobytes()),
            "componentType": _FLOAT,
            "count": len(rows),
            "type": f"VEC{rows.shape[1]}",
        }
        if bounds:
            entry |= {"min": rows.min(axis=0).tolist(), "max": rows.max(axis=0).tolist()}
        if name is not None:
            entry["name"] = name
        return self._entry(entry)

    def add_indices(self, index: NDArray[np.integer]) -> int:
        data = np.ascontiguousarray(index, "<u4").tobytes()
        return self._entry(
            {
                "bufferView": self.view(data),
                "componentType": _UNSIGNED,
                "count": len(index),
                "type": "SCALAR",
            }
        )

    def _entry(self, entry: dict[str, Any]) -> int:
        accessors = self.document.setdefault("accessors", [])
        accessors.append(entry)
        return len(accessors) - 1

    def to_bytes(self) -> bytes:
        self._blob.extend(bytes(-len(self._blob) % 4))
        buffers = self.document.setdefault("buffers", [{}])
        if len(buffers) > 1:
            raise MeshFormatError("it has more than one buffer")
        buffers[0]["byteLength"] = len(self._blob)
        text = json.dumps(self.document, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        size = 12 + 8 + len(text) + 8 + len(self._blob)
        return b"".join(
            [
                struct.pack(_HEADER, 0x46546C67, 2, size),
                struct.pack("<I4s", len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(self._blob), b"BIN\0"),
                bytes(self._blob),
            ]
        )
