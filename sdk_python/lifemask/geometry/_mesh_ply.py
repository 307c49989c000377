"""PLY files: text, or binary of either byte order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry._mesh import Mesh
from lifemask.geometry._mesh_files import MOST_FACES, MOST_POINTS, MeshFormatError, fan

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TYPES: Final = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1",
    "short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2",
    "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4",
    "float": "f4", "float32": "f4", "double": "f8", "float64": "f8",
}  # fmt: skip
_ORDERS: Final = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_LONGEST_HEADER: Final = 65536
_MOST_CORNERS: Final = 255
_INDEX_NAMES: Final = ("vertex_indices", "vertex_index")


@dataclass
class _Element:
    """One block of rows: its properties as `(name, type)` or `(name, count type, item type)`."""

    name: str
    count: int
    properties: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Whether all rows have the same length."""
        return all(len(item) == 2 for item in self.properties)


@dataclass
class _Polygons:
    """Corner counts and all corners in a row."""

    counts: NDArray[np.int64]
    corners: NDArray[np.int64]


def read_ply(raw: bytes) -> Mesh:
    """Read PLY.

    Raises:
        MeshFormatError: It is damaged, or has no points or no faces.
    """
    order, elements, start = _header(raw)
    if order:
        columns, polygons = _binary(raw, start, elements, order)
    else:
        columns, polygons = _text(raw[start:], elements)
    if columns is None or polygons is None:
        raise MeshFormatError("it has no points or no faces")
    try:
        points = np.stack([columns[axis].astype(np.float64) for axis in "xyz"], axis=1)
    except KeyError as error:
        raise MeshFormatError(f"its points have no {error}") from error
    polygon, within = fan(polygons.counts)
    rows = (np.cumsum(polygons.counts) - polygons.counts)[polygon][:, None] + within
    faces = polygons.corners[rows]
    if faces.size and not 0 <= faces.min() <= faces.max() < len(points):
        raise MeshFormatError("a face names a point that is not there")
    return Mesh(points, faces.astype(np.int32).reshape(-1, 3), _colours(columns))


def _header(raw: bytes) -> tuple[str, list[_Element], int]:
    """Return the byte order, the elements and where the body starts."""
    end = re.search(rb"end_header\r?\n", raw[:_LONGEST_HEADER])
    if not raw.startswith(b"ply") or end is None:
        raise MeshFormatError("it has no PLY header")
    lines = raw[: end.start()].decode("ascii", errors="replace").splitlines()[1:]
    order, elements = _declared(lines)
    if order is None:
        raise MeshFormatError("its header names no known format")
    for element in elements:
        if element.count > (MOST_POINTS if element.name == "vertex" else MOST_FACES):
            raise MeshFormatError(f"it has {element.count} rows of {element.name}")
    return order, elements, end.end()


def _declared(lines: list[str]) -> tuple[str | None, list[_Element]]:
    """Return the byte order and the elements that the lines of a header declare."""
    order: str | None = None
    elements: list[_Element] = []
    for line in lines:
        match line.split():
            case ["format", kind, _] if kind in _ORDERS:
                order = _ORDERS[kind]
            case ["element", name, count] if count.isdigit() and len(count) < 10:
                elements.append(_Element(name, int(count)))
            case ["property", "list", counts, items, name] if elements:
                elements[-1].properties.append((name, _type(counts), _type(items)))
            case ["property", kind, name] if elements:
                elements[-1].properties.append((name, _type(kind)))
            case [] | ["comment" | "obj_info", *_]:
                pass
            case _:
                raise MeshFormatError(f"its header has a line that is not understood: {line[:60]}")
    return order, elements


def _type(name: str) -> str:
    if name not in _TYPES:
        raise MeshFormatError(f"its header names the unknown type {name[:20]}")
    return _TYPES[name]


def _binary(
    raw: bytes, start: int, elements: list[_Element], order: str
) -> tuple[dict[str, NDArray] | None, _Polygons | None]:
    columns, polygons = None, None
    for element in elements:
        if element.is_plain:
            names = [(f"{i}_{p[0]}", order + p[1]) for i, p in enumerate(element.properties)]
            row = np.dtype(names)
            size = element.count * row.itemsize
            if start + size > len(raw):
                raise MeshFormatError("it ends too early")
            if row.itemsize:
                table = np.frombuffer(raw, row, element.count, start)
                if element.name == "vertex":
                    columns = {name.split("_", 1)[1]: table[name] for name, _ in names}
            start += size
        else:
            found, start = _binary_lists(raw, start, element, order)
            polygons = found if element.name == "face" else polygons
    return columns, polygons


def _binary_lists(
    raw: bytes, start: int, element: _Element, order: str
) -> tuple[_Polygons | None, int]:
    """Read rows with lists: at once where all are of one length, else row by row."""
    quick = _equal_rows(raw, start, element, order)
    if quick is not None:
        return quick
    counts, corners = [], []
    for _ in range(element.count):
        for name, *kinds in element.properties:
            if len(kinds) == 1:
                start += np.dtype(kinds[0]).itemsize
                continue
            count = int(_take(raw, start, order + kinds[0], 1)[0])
            start += np.dtype(kinds[0]).itemsize
            if not 0 <= count <= _MOST_CORNERS:
                raise MeshFormatError(f"a face has {count} corners")
            values = _take(raw, start, order + kinds[1], count)
            start += values.nbytes
            if name in _INDEX_NAMES:
                counts.append(count)
                corners.append(values.astype(np.int64))
    if not counts:
        return None, start
    return _Polygons(np.array(counts, np.int64), np.concatenate(corners)), start


def _equal_rows(
    raw: bytes, start: int, element: _Element, order: str
) -> tuple[_Polygons, int] | None:
    """Read rows that all have as long a list as the first one; None if they have not."""
    lists = [item for item in element.properties if len(item) == 3]
    if len(lists) != 1 or lists[0][0] not in _INDEX_NAMES or not element.count:
        return None
    before = 0
    for item in element.properties:
        if len(item) == 3:
            break
        before += np.dtype(item[1]).itemsize
    first = int(_take(raw, start + before, order + lists[0][1], 1)[0])
    if not 0 <= first <= _MOST_CORNERS:
        raise MeshFormatError(f"a face has {first} corners")
    fields: list[tuple] = []
    for i, item in enumerate(element.properties):
        if len(item) == 2:
            fields.append((f"p{i}", order + item[1]))
        else:
            fields += [("count", order + item[1]), ("items", order + item[2], (first,))]
    row = np.dtype(fields)
    if start + element.count * row.itemsize > len(raw):
        return None
    table = np.frombuffer(raw, row, element.count, start)
    if (table["count"] != first).any():
        return None
    counts = np.full(element.count, first, np.int64)
    corners = table["items"].astype(np.int64).reshape(-1)
    return _Polygons(counts, corners), start + element.count * row.itemsize


def _take(raw: bytes, start: int, kind: str, count: int) -> NDArray:
    if start + count * np.dtype(kind).itemsize > len(raw):
        raise MeshFormatError("it ends too early")
    return np.frombuffer(raw, kind, count, start)


def _text(
    body: bytes, elements: list[_Element]
) -> tuple[dict[str, NDArray] | None, _Polygons | None]:
    """Read rows of words, one row a line."""
    lines = [line for line in body.decode("ascii", errors="replace").splitlines() if line.strip()]
    columns, polygons, row = None, None, 0
    for element in elements:
        block = lines[row : row + element.count]
        row += element.count
        if len(block) < element.count:
            raise MeshFormatError("it ends too early")
        if element.name == "vertex" and element.is_plain:
            columns = _text_columns(block, element)
        elif element.name == "face":
            polygons = _text_polygons(block, element)
    return columns, polygons


def _text_columns(block: list[str], element: _Element) -> dict[str, NDArray]:
    width = len(element.properties)
    try:
        table = np.array([line.split()[:width] for line in block], np.float64)
    except ValueError as error:
        raise MeshFormatError("a line holds something else than numbers") from error
    if table.shape != (len(block), width):
        raise MeshFormatError("a line holds too few numbers")
    return {
        item[0]: table[:, i] if item[1].startswith("f") else table[:, i].astype(np.dtype(item[1]))
        for i, item in enumerate(element.properties)
    }


def _text_polygons(block: list[str], element: _Element) -> _Polygons:
    if not element.properties or element.properties[0][0] not in _INDEX_NAMES:
        raise MeshFormatError("its faces do not begin with their corners")
    counts, corners = [], []
    try:
        for line in block:
            words = line.split()
            count = int(words[0])
            if not 0 <= count <= _MOST_CORNERS or len(words) <= count:
                raise MeshFormatError("a face is damaged")
            counts.append(count)
            corners += [int(word) for word in words[1 : 1 + count]]
        return _Polygons(np.array(counts, np.int64), np.array(corners, np.int64))
    except (ValueError, OverflowError) as error:
        raise MeshFormatError("a face holds something else than numbers") from error


def _colours(columns: dict[str, NDArray]) -> NDArray[np.float32] | None:
    for names in (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue")):
        if all(name in columns for name in names):
            values = np.stack([columns[name] for name in names], axis=1)
            scale = 255.0 if values.dtype.kind in "iu" else 1.0
            return values.astype(np.float32) / np.float32(scale)
    return None
