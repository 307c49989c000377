"""`head.npz`: everything needed to rebuild a `Head` and its `Topology`, without pickles.

Arrays are stored as they are (little-endian float32 and int32) in a deflated npz archive: shapes
touch a small part of the head, so 52 dense arrays pack as small as sparse ones, and a package
that is read and written again keeps every bit.
"""

from __future__ import annotations

import io
import math
import re
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance import HairCap
from lifemask.avatar._container import ZipSource, zip_bytes
from lifemask.avatar._manifest import MAX_FILE_BYTES, HeadAsset
from lifemask.avatar._records import damaged
from lifemask.heads import COEFFICIENT_COUNT, JOINT_NAMES, PART_NAMES, Head, Part, Topology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LANDMARK_COUNT: Final = 478

_MASK = "mask."
_PART = "part."
_HAIR = "hair_"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_WEIGHT_TOLERANCE = 1e-3

_NOTHING: Final = np.empty(0, np.int32)

_Shape = tuple[int | str, ...]
# A text stands for a size that must be the same wherever it appears.
_ARRAYS: Final[dict[str, tuple[str, _Shape]]] = {
    "neutral": ("<f4", ("vertices", 3)),
    "expression_deltas": ("<f4", (COEFFICIENT_COUNT, "vertices", 3)),
    "joints": ("<f4", (len(JOINT_NAMES), 3)),
    "joint_weights": ("<f4", ("vertices", len(JOINT_NAMES))),
    "faces": ("<i4", ("faces", 3)),
    "faces_uv": ("<i4", ("faces", 3)),
    "uv": ("<f4", ("uv", 2)),
    "mirror": ("<i4", ("vertices",)),
    "landmark_faces": ("<i4", (LANDMARK_COUNT,)),
    "landmark_barycentric": ("<f4", (LANDMARK_COUNT, 3)),
    "neck_loop": ("<i4", ("neck_loop",)),
}
_HAIR_ARRAYS: Final[dict[str, tuple[str, _Shape]]] = {
    "hair_vertices": ("<f4", ("hair vertices", 3)),
    "hair_normals": ("<f4", ("hair vertices", 3)),
    "hair_uv": ("<f4", ("hair vertices", 2)),
    "hair_faces": ("<i4", ("hair faces", 3)),
}
"""All four where the avatar has hair, else none."""
_HEAD_ARRAYS = ("neutral", "expression_deltas", "joints", "joint_weights")
_INDEXED: Final = {
    "faces": "vertices",
    "faces_uv": "uv",
    "mirror": "vertices",
    "landmark_faces": "faces",
    "neck_loop": "vertices",
    "hair_faces": "hair vertices",
}
"""Arrays of indices, and what they count."""


def encode_head(head: Head, hair: HairCap | None = None) -> bytes:
    """Return `head.npz`; the same head and hair give the same bytes.

    Raises:
        ValueError: An array has the wrong shape, an index out of range or a value that is not
            finite, so that the file could not be read again.
    """
    topology = head.topology
    arrays = {name: getattr(head if name in _HEAD_ARRAYS else topology, name) for name in _ARRAYS}
    arrays |= {_MASK + name: mask for name, mask in topology.masks.items()}
    for name, (vertices, faces) in topology.parts.items():
        run = [vertices.start, vertices.stop, faces.start, faces.stop]
        arrays[_PART + name] = np.array(run, np.int32)
    if hair is not None:
        arrays |= {name: getattr(hair, name.removeprefix(_HAIR)) for name in _HAIR_ARRAYS}
    stored = {name: np.asarray(arrays[name], _spec(name)[0]) for name in sorted(arrays)}
    if problem := _problem(stored):
        raise ValueError(f"the head cannot be stored: {problem}")
    return zip_bytes({f"{name}.npy": _npy(array) for name, array in stored.items()})


def decode_head(data: bytes, asset: HeadAsset) -> Head:
    """Rebuild the head of `head.npz`; `asset` is what the manifest says it was made of.

    Raises:
        PackageError: An array is missing, has the wrong type or shape, an index out of range or
            a value that is not finite.
    """
    return decode_head_and_hair(data, asset)[0]


def decode_head_and_hair(data: bytes, asset: HeadAsset) -> tuple[Head, HairCap | None]:
    """Rebuild the head of `head.npz`, and its hair where there is any; see `decode_head`."""
    source = ZipSource(data)
    arrays: dict[str, NDArray] = {}
    for entry in source.names():
        name = entry.removesuffix(".npy")
        if not _is_known(name):
            continue  # a newer minor version may add arrays
        arrays[name] = _read_npy(source.read(entry, MAX_FILE_BYTES), name)
    if problem := _problem(arrays):
        raise damaged(f"head.npz: {problem}")
    hair = {name.removeprefix(_HAIR): arrays.pop(name) for name in _HAIR_ARRAYS if name in arrays}
    return _head(arrays, asset), HairCap(**hair) if hair else None


def _head(arrays: Mapping[str, NDArray], asset: HeadAsset) -> Head:
    fields = {name: arrays[name] for name in _ARRAYS if name not in _HEAD_ARRAYS}
    topology = Topology(
        asset_id=asset.id,
        asset_version=asset.version,
        asset_sha256=asset.sha256,
        parts={name: _part(arrays[_PART + name]) for name in _ordered_parts(arrays)},
        masks={name.removeprefix(_MASK): arrays[name] for name in arrays if name.startswith(_MASK)},
        **fields,
    )
    return Head(topology=topology, **{name: arrays[name] for name in _HEAD_ARRAYS})


def _ordered_parts(arrays: Mapping[str, NDArray]) -> list[str]:
    """Known parts in their usual order, then the others by name."""
    found = [name.removeprefix(_PART) for name in arrays if name.startswith(_PART)]
    return [name for name in PART_NAMES if name in found] + sorted(set(found) - set(PART_NAMES))


def _part(run: NDArray[np.int32]) -> Part:
    start, stop, first, last = (int(value) for value in run)
    return Part(slice(start, stop), slice(first, last))


def _is_known(name: str) -> bool:
    prefix, _, region = name.partition(".")
    named = name in _ARRAYS or name in _HAIR_ARRAYS
    return named or (f"{prefix}." in (_MASK, _PART) and bool(_NAME.fullmatch(region)))


def _spec(name: str) -> tuple[str, _Shape]:
    """Return the dtype and the shape that an array must have."""
    if found := _ARRAYS.get(name) or _HAIR_ARRAYS.get(name):
        return found
    if not _is_known(name):
        raise ValueError(f"{name!r} is not a name that can be stored")
    return ("<f4", ("vertices",)) if name.startswith(_MASK) else ("<i4", (4,))


def _npy(array: NDArray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(
        buffer, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False
    )
    return buffer.getvalue()


def _read_npy(data: bytes, name: str) -> NDArray:
    """Read one array; its size is known to fit the data before anything is allocated."""
    stream = io.BytesIO(data)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("not an npy file of version 1.0")
        found, fortran, found_dtype = np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # the ways in which a header can be malformed are no closed list
        raise damaged(f"head.npz: {name!r} is not an array") from error
    dtype, shape = _spec(name)
    if found_dtype != np.dtype(dtype) or not _fits(found, shape):
        raise damaged(f"head.npz: {name!r} is not {dtype} of shape {shape}")
    content = data[stream.tell() :]
    if len(content) != math.prod(found) * found_dtype.itemsize:
        raise damaged(f"head.npz: {name!r} is cut off")
    array = np.frombuffer(content, dtype).reshape(found, order="F" if fortran else "C")
    return array.copy("C")


def _fits(found: tuple[object, ...], shape: _Shape) -> bool:
    if len(found) != len(shape):
        return False
    return all(
        type(size) is int and size >= 0 and (isinstance(wanted, str) or size == wanted)
        for size, wanted in zip(found, shape, strict=True)
    )


def _problem(arrays: Mapping[str, NDArray]) -> str:
    """Return what is wrong with a set of arrays; empty when nothing is."""
    needed = set(_ARRAYS) | {_PART + name for name in PART_NAMES}
    if not set(_HAIR_ARRAYS).isdisjoint(arrays):
        needed |= set(_HAIR_ARRAYS)
    if missing := sorted(needed - set(arrays)):
        return f"{missing[0]!r} is missing"
    sizes: dict[str, int] = {}
    for name, array in arrays.items():
        shape = _spec(name)[1]
        if not _fits(array.shape, shape):
            return f"{name!r} has shape {array.shape}, not {shape}"
        for wanted, size in zip(shape, array.shape, strict=True):
            if isinstance(wanted, str) and sizes.setdefault(wanted, size) != size:
                return f"{name!r} has {size} {wanted}, the others {sizes[wanted]}"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return f"{name!r} has values that are not finite"
    return _index_problem(arrays, sizes) or _weight_problem(arrays["joint_weights"])


def _index_problem(arrays: Mapping[str, NDArray], sizes: Mapping[str, int]) -> str:
    for name, counted in _INDEXED.items():
        array = arrays.get(name, _NOTHING)
        if array.size and (array.min() < 0 or array.max() >= sizes[counted]):
            return f"{name!r} counts {counted} that are not there"
    for name, run in arrays.items():
        if name.startswith(_PART):
            start, stop, first, last = (int(value) for value in run)
            in_vertices = 0 <= start <= stop <= sizes["vertices"]
            if not (in_vertices and 0 <= first <= last <= sizes["faces"]):
                return f"{name!r} reaches over the end"
    return ""


def _weight_problem(weights: NDArray[np.float32]) -> str:
    sums = weights.sum(axis=1, dtype=np.float64)
    if weights.size and (weights.min() < 0 or np.abs(sums - 1).max() > _WEIGHT_TOLERANCE):
        return "'joint_weights' are negative or do not sum to 1"
    return ""
