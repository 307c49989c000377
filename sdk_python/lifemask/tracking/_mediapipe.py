"""What all of MediaPipe's tasks need: the import, pictures, and silence."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask._errors import ImageError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


def import_mediapipe() -> tuple[Any, Any]:
    """Return the modules of vision tasks and the class of their base options.

    Raises:
        MissingExtraError: MediaPipe, or a system library that it needs, is missing.
    """
    try:
        _postpone("matplotlib.pyplot")
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise MissingExtraError(
            "finding faces and people needs the package mediapipe", hint="pip install mediapipe"
        ) from error
    except OSError as error:
        raise missing_library(error) from error
    return vision, BaseOptions


def _postpone(name: str) -> None:
    """Let a module be loaded when something of it is first used.

    MediaPipe imports plotting for pictures of landmarks that nobody draws here, which takes more
    time than all the rest of it.

    Args:
        name: `package.module`; nothing happens where it is loaded already or not installed.
    """
    if name in sys.modules:
        return
    package, _, last = name.rpartition(".")
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    setattr(sys.modules[package], last, module)


def missing_library(error: OSError) -> MissingExtraError:
    """Return the error that says how to get a system library."""
    return MissingExtraError(
        f"MediaPipe cannot load a system library: {error}",
        hint="on Debian or Ubuntu: apt-get install libegl1 libgles2",
    )


@contextlib.contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Send what native code writes to file descriptor 2 to the log, at debug level.

    MediaPipe has no switch for its start-up messages.
    """
    with tempfile.TemporaryFile() as sink:
        try:
            saved = os.dup(2)
        except OSError:  # A process without a standard error, such as a Windows service.
            yield
            return
        try:
            os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            sink.seek(0)
            for line in sink.read().decode("utf-8", "replace").splitlines():
                logger.debug("mediapipe: %s", line)


def mediapipe_image(image: NDArray[np.uint8]) -> Any:
    """Wrap a picture `(h, w, 3)` uint8 sRGB."""
    from mediapipe import Image, ImageFormat

    return Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(image))


def checked_picture(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture as it is.

    Raises:
        ImageError: It is not `(h, w, 3)` uint8, or empty.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(
            f"a picture must be (height, width, 3) uint8, not {image.shape} {image.dtype}",
            hint="read files with lifemask.geometry.read_image",
        )
    return image
