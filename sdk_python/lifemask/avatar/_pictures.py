"""PNG in and out of a package, and textures that are decoded when they are asked for."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.avatar._records import damaged

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SIDE: Final = 8192
COLOR_TEXTURES: Final = ("albedo", "normal", "orm", "hair")
"""These have three or four channels; any other texture may be grey."""

_CHANNELS: Final = {"L": 1, "RGB": 3, "RGBA": 4}


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Return `(height, width)` or `(height, width, 3 or 4)` uint8 as PNG without metadata.

    Raises:
        ValueError: The array is not such an image, or a side is longer than `MAX_SIDE`.
    """
    from PIL import Image

    shape = image.shape
    if image.dtype != np.uint8 or not (len(shape) == 2 or shape[2:] in ((3,), (4,))):
        raise ValueError(f"no picture: shape {shape}, {image.dtype}")
    if not (0 < shape[0] <= MAX_SIDE and 0 < shape[1] <= MAX_SIDE):
        raise ValueError(f"a picture has 1 to {MAX_SIDE} pixels a side, not {shape[:2]}")
    buffer = io.BytesIO()
    # Run-length matching beats zlib's default on filtered skin, and takes a fifth of the time.
    Image.fromarray(image).save(buffer, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def decode_png(data: bytes, path: str) -> NDArray[np.uint8]:
    """Return `(height, width)` or `(height, width, 3 or 4)` uint8.

    Args:
        data: Content of the file.
        path: Names the picture in errors.

    Raises:
        PackageError: Not an 8-bit grey, RGB or RGBA PNG, damaged, or too large.
    """
    from PIL import Image

    height, width, channels = picture_shape(data, path)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            pixels = np.array(picture)
    except Exception as error:  # the ways in which a decoder fails are no closed list
        raise damaged(f"{path!r} is a damaged picture") from error
    if pixels.shape != ((height, width) if channels == 1 else (height, width, channels)):
        raise damaged(f"{path!r} is a damaged picture")
    return pixels


def picture_shape(data: bytes, path: str) -> tuple[int, int, int]:
    """Return height, width and channels of a PNG without decoding its pixels.

    Raises:
        PackageError: Not an 8-bit grey, RGB or RGBA PNG, or a side is longer than `MAX_SIDE`.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            (width, height), mode = picture.size, picture.mode
    except Exception as error:  # as above
        raise damaged(f"{path!r} is not a PNG picture") from error
    if mode not in _CHANNELS or width > MAX_SIDE or height > MAX_SIDE:
        raise damaged(f"{path!r} has another mode than RGB, or more than {MAX_SIDE} pixels a side")
    return height, width, _CHANNELS[mode]


def texture_problem(name: str, texture: NDArray[np.uint8]) -> str:
    """Return why a picture cannot be the texture of that name; empty when it can."""
    if texture.ndim == 2 and name in COLOR_TEXTURES:
        return f"the texture {name!r} is grey"
    if name == "hair" and texture.shape[2] != 4:
        return "the texture 'hair' has no coverage"
    return ""


class LazyTextures(Mapping[str, "NDArray[np.uint8]"]):
    """Textures by name; each is decoded at its first use and kept."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Take the PNG bytes by texture name."""
        self._files = dict(files)
        self._decoded: dict[str, NDArray[np.uint8]] = {}

    def __getitem__(self, name: str) -> NDArray[np.uint8]:
        if name not in self._decoded:
            texture = decode_png(self._files[name], f"textures/{name}.png")
            if problem := texture_problem(name, texture):
                raise damaged(problem)
            self._decoded[name] = texture
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
