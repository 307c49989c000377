"""What all of MediaPipe's tasks need: the import, pictures, and silence."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import tempfile
import types
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
        with _postponed("matplotlib.pyplot"):
            from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise MissingExtraError(
            "finding faces and people needs the package mediapipe", hint="pip install mediapipe"
        ) from error
    except OSError as error:
        raise missing_library(error) from error
    return vision, BaseOptions


class _Later(types.ModuleType):
    """Stands for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)


@contextlib.contextmanager
def _postponed(name: str) -> Iterator[None]:
    """Let those who import a module meanwhile load it when they first use something of it.

    MediaPipe imports plotting for pictures of landmarks that nobody draws here, which takes more
    time than all the rest of it.
    """
    if name in sys.modules:
        yield
        return
    stand = sys.modules[name] = _Later(name)
    try:
        yield
    finally:
        if sys.modules.get(name) is stand:
            del sys.modules[name]


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
