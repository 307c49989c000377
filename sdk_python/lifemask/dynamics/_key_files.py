"""Key textures as files that an engine reads without lifemask: two pictures and a JSON."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import PackageError
from lifemask.dynamics._activation import DRIVER_NAMES
from lifemask.dynamics._contract import InputRange
from lifemask.dynamics._key import KEY_COUNT, MASK_CHANNELS, KeyRegion, KeyTexture

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout

KEY_JSON: Final = "key.json"
KEY_PICTURE: Final = "key_textures.png"
KEY_MASKS: Final = "key_masks.png"

_SCHEMA: Final = 1
_TILES: Final = MASK_CHANNELS // 3
_LARGEST: Final = 4_000_000
_GAIN: Final = 1e3
_HINT: Final = "Build the avatar again, or copy its dynamics folder from a package that works."


def key_files(texture: KeyTexture) -> dict[str, bytes]:
    """Write key textures as engine-ready files.

    Returns:
        `key.json`, `key_textures.png` (six tiles of the packed atlas from left to right) and
        `key_masks.png` (two tiles, channels 0 to 2 and 3 to 5), by name. Neither picture has an
        alpha channel, because importers multiply colours by it. Both hold numbers, not colours:
        import them as linear data, without mip maps or compression.
    """
    regions = {name: _region_record(part) for name, part in texture.regions.items()}
    record = {
        "schema": _SCHEMA,
        "kind": texture.kind,
        "generic": texture.generic,
        "statement": texture.data,
        "size": texture.layout.size,
        "keys": KEY_COUNT,
        "channels": MASK_CHANNELS,
        "drivers": list(DRIVER_NAMES),
        "range": texture.range.to_dict(),
        "regions": regions,
    }
    tiles = [texture.masks[..., 3 * i : 3 * i + 3] for i in range(_TILES)]
    return {
        KEY_JSON: (json.dumps(record, indent=1) + "\n").encode(),
        KEY_PICTURE: _png(np.concatenate(list(texture.keys), axis=1)),
        KEY_MASKS: _png(np.concatenate(tiles, axis=1)),
    }


def key_from_files(files: Mapping[str, bytes], layout: Layout) -> KeyTexture:
    """Read what `key_files` wrote.

    Args:
        files: Contents by name.
        layout: Packed regions that the textures were made for.

    Raises:
        PackageError: A file is missing or damaged, newer than this version knows, or does not
            fit the layout.
    """
    try:
        if max(len(files[name]) for name in (KEY_JSON, KEY_PICTURE, KEY_MASKS)) > _LARGEST:
            raise ValueError("a file is too large")
        record = json.loads(files[KEY_JSON])
        texture = _parsed(record, files, layout)
    except Exception as error:
        raise PackageError(f"the key textures cannot be read: {error}", hint=_HINT) from error
    return texture


def _parsed(record: dict[str, Any], files: Mapping[str, bytes], layout: Layout) -> KeyTexture:
    expected = {
        "schema": _SCHEMA,
        "keys": KEY_COUNT,
        "channels": MASK_CHANNELS,
        "drivers": list(DRIVER_NAMES),
        "size": layout.size,
    }
    for name, value in expected.items():
        if record[name] != value:
            raise ValueError(f"{name} is not what this version of lifemask reads")
    size = layout.size
    keys = _picture(files[KEY_PICTURE], (size, KEY_COUNT * size, 3))
    tiles = _picture(files[KEY_MASKS], (size, _TILES * size, 3))
    return KeyTexture(
        layout=layout,
        keys=np.ascontiguousarray(np.moveaxis(keys.reshape(size, KEY_COUNT, size, 3), 1, 0)),
        masks=np.ascontiguousarray(
            np.swapaxes(tiles.reshape(size, _TILES, size, 3), 1, 2).reshape(size, size, -1)
        ),
        regions={str(name): _region(part) for name, part in record["regions"].items()},
        range=InputRange.from_dict(record["range"]),
        data=str(record["statement"]),
        generic=bool(record["generic"]),
    )


def _region_record(part: KeyRegion) -> dict[str, object]:
    """Keep only the drivers that do something."""
    used = [int(i) for i in np.flatnonzero(part.gains.any(axis=0) & part.channels.any(axis=1))]
    return {
        "drivers": [DRIVER_NAMES[i] for i in used],
        "gains": [_rounded(row) for row in part.gains[:, used]],
        "channels": [_rounded(row) for row in part.channels[used]],
        "frames": list(part.frames),
        "unseen": list(part.unseen),
    }


def _region(record: dict[str, Any]) -> KeyRegion:
    used = [DRIVER_NAMES.index(name) for name in record["drivers"]]
    gains = np.zeros((KEY_COUNT, len(DRIVER_NAMES)), np.float32)
    channels = np.zeros((len(DRIVER_NAMES), MASK_CHANNELS), np.float32)
    if used:
        gains[:, used] = _numbers(record["gains"], (KEY_COUNT, len(used)), -_GAIN)
        channels[used] = _numbers(record["channels"], (len(used), MASK_CHANNELS), 0)
    frames = tuple(int(frame) for frame in record["frames"])
    return KeyRegion(gains, channels, frames, tuple(str(name) for name in record["unseen"]))


def _numbers(values: object, shape: tuple[int, ...], low: float) -> NDArray[np.float32]:
    numbers = np.asarray(values, np.float32)
    if numbers.shape != shape or not np.all((numbers >= low) & (numbers <= _GAIN)):
        raise ValueError("numbers are missing or out of range")
    return numbers


def _rounded(values: NDArray[np.floating]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _picture(data: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        if (image.height, image.width) != shape[:2] or image.mode != "RGB":
            raise ValueError("a picture has the wrong size")
        return np.asarray(image).reshape(shape)
