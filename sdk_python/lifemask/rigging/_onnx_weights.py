"""Read and replace weights of an ONNX file without the package onnx.

An avatar package is written by the base installation, which can run networks but not edit them.
What is needed of protocol buffers for that is small: a message is a row of numbered fields, and a
replaced weight has the same number of bytes as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lifemask._errors import ModelFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

_GRAPH, _METADATA = 7, 14
"""Fields of a model."""

_INITIALIZER: Final = 5
"""Field of a graph."""

_DIMS, _TYPE, _NAME, _RAW = 1, 2, 8, 9
"""Fields of a tensor."""

_FLOAT: Final = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Field(NamedTuple):
    """One field: its number, its value if that is a number, and where its content lies."""

    number: int
    value: int
    first: int
    last: int


class _Tensor(NamedTuple):
    """Where a float32 weight lies in the file."""

    shape: tuple[int, ...]
    first: int
    last: int


def read_weight(data: bytes, name: str) -> NDArray[np.float32]:
    """Return a float32 weight by its name.

    Raises:
        ModelFileError: There is none, or the file is no ONNX file.
    """
    found = _tensor(data, name)
    return np.frombuffer(data[found.first : found.last], "<f4").reshape(found.shape)


def replace_weights(data: bytes, weights: Mapping[str, NDArray[np.floating]]) -> bytes:
    """Return the file with other values of float32 weights.

    Args:
        data: An ONNX file.
        weights: Values by name, of the same shape as before.

    Raises:
        ModelFileError: There is no such weight of that shape.
    """
    out = bytearray(data)
    for name, value in weights.items():
        found = _tensor(data, name)
        if found.shape != value.shape:
            raise _refused(f"the weight {name} has the shape {found.shape}")
        out[found.first : found.last] = np.ascontiguousarray(value, "<f4").tobytes()
    return bytes(out)


def add_metadata(data: bytes, key: str, value: str) -> bytes:
    """Return the file with one more entry of metadata."""
    entry = b"".join(
        _tagged(number, text.encode("utf-8")) for number, text in ((1, key), (2, value))
    )
    return data + _tagged(_METADATA, entry)


def _tensor(data: bytes, name: str) -> _Tensor:
    for graph in _fields(data, 0, len(data)):
        if graph.number != _GRAPH:
            continue
        for weight in _fields(data, graph.first, graph.last):
            if weight.number == _INITIALIZER:
                parts = list(_fields(data, weight.first, weight.last))
                if any(
                    p.number == _NAME and data[p.first : p.last] == name.encode() for p in parts
                ):
                    return _described(data, parts, name)
    raise _refused(f"it has no weight {name}")


def _described(data: bytes, parts: list[_Field], name: str) -> _Tensor:
    kind = [part.value for part in parts if part.number == _TYPE]
    raw = [part for part in parts if part.number == _RAW]
    shape: list[int] = []
    for part in parts:
        if part.number == _DIMS and part.first == part.last:
            shape.append(part.value)
        elif part.number == _DIMS:
            place = part.first
            while place < part.last:
                value, place = _varint(data, place)
                shape.append(value)
    if kind != [_FLOAT] or len(raw) != 1 or raw[0].last - raw[0].first != 4 * np.prod(shape):
        raise _refused(f"the weight {name} is not kept as float32")
    return _Tensor(tuple(shape), raw[0].first, raw[0].last)


def _fields(data: bytes, first: int, last: int) -> Iterator[_Field]:
    place = first
    while place < last:
        tag, place = _varint(data, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _varint(data, place)
            yield _Field(tag >> 3, value, place, place)
            continue
        if kind == _BYTES:
            size, place = _varint(data, place)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise _refused("it is no ONNX file")
        if place + size > last:
            raise _refused("it is cut off")
        yield _Field(tag >> 3, 0, place, place + size)
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise _refused("it is cut off")


def _tagged(number: int, content: bytes) -> bytes:
    return _encoded(number << 3 | _BYTES) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _refused(reason: str) -> ModelFileError:
    return ModelFileError(
        f"the network cannot be changed: {reason}",
        hint="Use the one that ships with lifemask.",
    )
