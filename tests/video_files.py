"""Videos for tests: small ones whose frames say who they are, and MP4 files edited by hand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

from lifemask.geometry import VideoWriter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")


def numbered_frame(index: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return a frame whose left half is red and whose right half grows brighter by index."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2] = (220, 30, 30)
    image[:, width // 2 :] = 8 * index
    return image


def write_numbered_video(path: Path, count: int, rate_hz: float = 25.0) -> Path:
    """Write `numbered_frame` 0 to `count - 1`."""
    with VideoWriter(path, 64, 48, rate_hz) as video:
        for index in range(count):
            video.write(numbered_frame(index))
    return path


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> dict[bytes, tuple[int, int]]:
    """Return the start and end of each MP4 box; of boxes that repeat, the last."""
    found = {}
    stop = len(data) if stop is None else stop
    while start < stop:
        size, name = struct.unpack(">I4s", data[start : start + 8])
        found[name] = (start, start + size)
        if name in CONTAINERS:
            found |= boxes(data, start + 8, start + size)
        start += size
    return found


def index_first(path: Path) -> None:
    """Move the index of an MP4 file before its pictures, as files for streaming have it."""
    data = path.read_bytes()
    found = boxes(data)
    start, stop = found[b"moov"]
    index, shift = bytearray(data[start:stop]), stop - start
    table = found[b"stco"][0] - start
    (count,) = struct.unpack_from(">I", index, table + 12)
    for entry in range(count):
        place = table + 16 + 4 * entry
        struct.pack_into(">I", index, place, struct.unpack_from(">I", index, place)[0] + shift)
    header = found[b"ftyp"][1]
    path.write_bytes(data[:header] + index + data[header:start] + data[stop:])


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def set_rotation(path: Path, quarter_turns: int) -> None:
    """State that an MP4 file is to be shown turned clockwise by a multiple of 90 degrees."""
    data = bytearray(path.read_bytes())
    start = boxes(bytes(data))[b"tkhd"][0]
    cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter_turns % 4]
    one = 1 << 16
    matrix = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", data, start + 8 + 40, *matrix)
    path.write_bytes(data)


def set_duration_of_frames(path: Path, first: int, factor: int) -> None:
    """Show the first frames of an MP4 file longer than the rest: a variable frame rate."""
    data = path.read_bytes()
    found = boxes(data)
    start, stop = found[b"stts"]
    count, delta = struct.unpack_from(">2I", data, start + 16)
    entries = struct.pack(">4I", first, delta * factor, count - first, delta)
    table = struct.pack(">I4sII", 16 + len(entries), b"stts", 0, 2) + entries
    grown = bytearray(data[:start] + table + data[stop:])
    for name in CONTAINERS:
        at = found[name][0]
        if name != b"edts" and at < start:
            size = struct.unpack_from(">I", grown, at)[0]
            struct.pack_into(">I", grown, at, size + len(table) - (stop - start))
    # The edit list would cut the longer file back to its old duration.
    grown[found[b"edts"][0] + 4 : found[b"edts"][0] + 8] = b"free"
    path.write_bytes(grown)
