"""Reading the linear back-end back; whatever is in the files, nothing but an error comes of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import PackageError
from lifemask.dynamics._contract import InputRange
from lifemask.dynamics._linear import (
    ARRAYS,
    COLUMNS,
    FEATURES,
    GROUPS,
    LINEAR_SCHEMA,
    ZERO,
    LinearGroup,
    LinearTexture,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout

_MOST_MAPS: Final = 16
_LARGEST_RECORD: Final = 4 * 2**20
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def linear_from_files(files: Mapping[str, bytes], layout: Layout) -> LinearTexture:
    """Rebuild what `LinearTexture.to_files` gave.

    Args:
        files: `linear.json` and `linear.png`.
        layout: Of the package.

    Raises:
        PackageError: A file is missing, damaged, hostile, or of another schema.
    """
    if "linear.json" not in files or "linear.png" not in files:
        raise _damaged("a file is missing")
    record = _record(files["linear.json"])
    picture = files["linear.png"]
    count = record.get("maps")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST_MAPS:
        raise _damaged(f"it has {count!r} maps")
    if hashlib.sha256(picture).hexdigest() != record.get("maps_sha256"):
        raise _damaged("its maps are not those that it was written with")
    groups = record.get("groups")
    if not isinstance(groups, list) or len(groups) != len(GROUPS):
        raise _damaged("it has no list of groups")
    return LinearTexture(
        layout,
        InputRange.from_dict(record.get("input_range")),
        tuple(_group(one, name, count) for one, name in zip(groups, GROUPS, strict=True)),
        _maps(picture, count, layout.size),
    )


def _record(data: bytes) -> dict[str, Any]:
    if len(data) > _LARGEST_RECORD:
        raise _damaged(f"its record has {len(data)} bytes")
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _damaged("its record is no JSON") from error
    if not isinstance(record, dict):
        raise _damaged("its record is no object")
    if record.get("schema") != LINEAR_SCHEMA:
        raise PackageError(
            f"the linear dynamic texture has schema {record.get('schema')!r}, this lifemask reads "
            f"{LINEAR_SCHEMA}",
            hint="Build the avatar again with this version, or update lifemask.",
        )
    same = record.get("features") == [list(pair) for pair in FEATURES]
    if not same or record.get("zero") != ZERO or record.get("columns") != COLUMNS:
        raise _damaged("its features or maps are laid out in another way")
    return record


def _group(value: object, name: str, count: int) -> LinearGroup:
    if not isinstance(value, dict) or value.get("name") != name:
        raise _damaged(f"it has no group {name}")
    arrays = {}
    for key in ARRAYS:
        try:
            array = np.array(value.get(key), np.float32)
        except (TypeError, ValueError, OverflowError) as error:
            raise _damaged(f"the {key} of {name} is no array of numbers") from error
        arrays[key] = array
    scales = arrays["scales"]
    maps = len(scales) - 1 if scales.ndim == 1 else -1
    shapes = {
        "matrix": (len(FEATURES), maps),
        "offset": (maps,),
        "low": (maps,),
        "high": (maps,),
        "scales": (maps + 1,),
    }
    if not 0 <= maps < count or any(arrays[key].shape != shapes[key] for key in ARRAYS):
        raise _damaged(f"the arrays of {name} have wrong shapes")
    finite = all(np.isfinite(arrays[key]).all() for key in ARRAYS)
    if not finite or (arrays["low"] > arrays["high"]).any() or np.abs(scales).max() > 1e3:
        raise _damaged(f"the numbers of {name} are out of range")
    return LinearGroup(name, **arrays)


def _maps(data: bytes, count: int, size: int) -> NDArray[np.uint8]:
    import cv2

    rows = -(-count // COLUMNS)
    shape = (rows * size, COLUMNS * size, 3)
    # The size is read from the header first: a small file can unfold to gigabytes.
    header = (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big"))
    if not data.startswith(_PNG) or header != shape[:2]:
        raise _damaged("its maps are no picture of the right size")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.shape != shape or picture.dtype != np.uint8:
        raise _damaged("its maps cannot be decoded")
    tiles = picture[..., ::-1].reshape(rows, size, COLUMNS, size, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(tiles.reshape(-1, size, size, 3)[:count], np.uint8)


def _damaged(problem: str) -> PackageError:
    return PackageError(
        f"the linear dynamic texture is damaged: {problem}",
        hint="Build the avatar again, or take the package from its source again.",
    )
