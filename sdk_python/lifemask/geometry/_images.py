"""Photos and pictures in files: whatever people have, read as 8-bit sRGB."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import ImageError
from lifemask._files import atomic_path

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray
    from PIL import Image

MAX_PIXELS = 80_000_000
"""More than this is refused before it is decoded: a small file may claim any size."""

TRANSPARENT_COLOR = (128, 128, 128)
"""What shows through where a picture with alpha is transparent."""

_LOSSY_OPTIONS = {"JPEG": {"quality": 92}, "WEBP": {"quality": 92}}


def read_image(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read a picture as the viewer of a photo would show it.

    The EXIF orientation is applied, a colour profile is converted to sRGB, transparency is
    composed over mid grey (`TRANSPARENT_COLOR`), 16 bits become 8, grey, palette and CMYK become
    RGB. Of an animation the first frame is read.

    Returns:
        `(height, width, 3)` uint8, sRGB, origin top left.

    Raises:
        ImageError: No such file, not a picture, a picture that ends early, or one of more than
            `MAX_PIXELS` pixels.
    """
    from PIL import Image, ImageOps

    path = Path(path)
    data = _read_file(path)
    with warnings.catch_warnings():
        # The size is checked below, before anything is decoded.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data)) as image:
                _check_size(path, image.width * image.height)
                image.load()
                return _to_rgb(ImageOps.exif_transpose(image))
        except Image.DecompressionBombError as error:
            raise _too_large(path) from error
        except Image.UnidentifiedImageError as error:
            raise ImageError(f"{path.name!r} is not an image", hint=_format_hint(data)) from error
        except (OSError, SyntaxError, ValueError, EOFError, IndexError) as error:
            raise ImageError(
                f"{path.name!r} is damaged or incomplete: {error}",
                hint="Copy the file again from where it came from.",
            ) from error


def write_image(path: str | os.PathLike[str], image: NDArray[np.uint8]) -> None:
    """Write a picture; the suffix chooses the format (`.png`, `.jpg`, `.webp` …).

    The file appears under its name only when it is complete.

    Args:
        path: Where to write.
        image: `(height, width)`, `(height, width, 3)` or `(height, width, 4)` uint8, sRGB. Formats
            without alpha get it composed over mid grey.

    Raises:
        ImageError: A suffix that names no picture format.
        ExportError: The file cannot be written.
        ValueError: An array that is not a picture.
    """
    from PIL import Image

    path = Path(path)
    picture = Image.fromarray(np.ascontiguousarray(_checked(image)))
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in Image.SAVE:
        raise ImageError(
            f"{path.suffix!r} names no picture format", hint="Use a name that ends in .png or .jpg."
        )
    if kind == "JPEG" and picture.mode == "RGBA":
        picture = Image.fromarray(_over_grey(picture))
    with atomic_path(path) as temporary:
        picture.save(temporary, format=kind, **_LOSSY_OPTIONS.get(kind, {}))


def resize_image(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the picture at another size, filtered so that fine detail does not alias.

    Args:
        image: `(h, w)` or `(h, w, 3|4)` uint8.
        width: New width, pixels.
        height: New height, pixels.
    """
    from PIL import Image

    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels")
    picture = Image.fromarray(np.ascontiguousarray(_checked(image)))
    return np.array(picture.resize((width, height), Image.Resampling.LANCZOS))


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(
            f"there is no file {path.name!r}", hint=f"Looked in {str(path.parent)!r}."
        ) from error
    except OSError as error:
        raise ImageError(f"{path.name!r} cannot be read: {error.strerror or error}") from error


def _check_size(path: Path, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise _too_large(path)


def _too_large(path: Path) -> ImageError:
    return ImageError(
        f"{path.name!r} has more than {MAX_PIXELS // 1_000_000} million pixels",
        hint="Scale it down first; 4 million pixels show all that a head needs.",
    )


def _format_hint(data: bytes) -> str:
    """Say what a file is that looks like a picture to its owner but not to the decoder."""
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "This is HEIC: export it as JPEG, or set the phone's camera to 'most compatible'."
    if data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3":
        return "This is a video."
    if not data:
        return "The file is empty."
    return "Use a JPEG, PNG or WebP file."


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    image = _to_srgb(image)
    if image.mode == "F" or image.mode.startswith("I"):
        grey = _to_eight_bits(np.asarray(image))
        return np.repeat(grey[..., None], 3, axis=2)
    if image.has_transparency_data:
        return _over_grey(image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _to_srgb(image: Image.Image) -> Image.Image:
    """Apply an embedded colour profile; phones write Display P3, presses write CMYK."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError):
        # A broken profile is no reason to refuse a photo: show it as if it had none.
        return image


def _to_eight_bits(values: NDArray[np.number]) -> NDArray[np.uint8]:
    """Scale one-channel 16-bit integers, or floats in [0, 1] or [0, 255]."""
    floats = np.nan_to_num(values.astype(np.float64))
    if np.issubdtype(values.dtype, np.floating):
        scale = 255.0 if floats.max(initial=0.0) <= 1.0 else 1.0
    else:
        scale = 1.0 / 257.0
    return np.clip(floats * scale + 0.5, 0, 255).astype(np.uint8)


def _over_grey(image: Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(image, np.float32)
    alpha = pixels[..., 3:] / 255.0
    backdrop = np.array(TRANSPARENT_COLOR, np.float32)
    return (pixels[..., :3] * alpha + backdrop * (1 - alpha) + 0.5).astype(np.uint8)


def _checked(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    grey = image.ndim == 2
    if image.dtype != np.uint8 or not (grey or (image.ndim == 3 and image.shape[2] in (3, 4))):
        raise ValueError(
            f"image has shape {image.shape} and type {image.dtype}, expected (height, width), "
            "(height, width, 3) or (height, width, 4) uint8"
        )
    if image.size == 0:
        raise ValueError("image has no pixels")
    return image
