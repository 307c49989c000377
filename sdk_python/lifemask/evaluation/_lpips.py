"""LPIPS v0.1 with AlexNet: how different two pictures look to a network, in plain numpy."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import ModelFileError
from lifemask.evaluation._weights import LPIPS_ALEX
from lifemask.tracking import find_model

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME: Final = "LPIPS-alex v0.1"
SMALLEST: Final = 64
"""Pixels; smaller crops are enlarged to it, because the network divides its input by 16."""

_SHIFT: Final = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE: Final = np.array([0.458, 0.448, 0.450], np.float32)
_STRIDES, _PADS, _POOLED = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2)
_EPSILON = 1e-10

Features = list["NDArray[np.float32]"]


class Lpips:
    """The learned perceptual distance of Zhang et al. 2018, equation 1.

    Args:
        path: The weights; looked for as the landmarker's model when left out.

    Raises:
        ModelFileError: The weights are not on this machine, or are not what they should be.
    """

    def __init__(self, path: Path | None = None) -> None:
        weights = _load(find_model(LPIPS_ALEX, path))
        network = weights["AlexNet_0"]
        self._kernels = [network[f"Conv_{i}"]["kernel"] for i in range(5)]
        self._biases = [network[f"Conv_{i}"]["bias"] for i in range(5)]
        self._linear = [weights[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].ravel() for i in range(5)]

    def features(self, picture: NDArray[np.uint8]) -> Features:
        """Return the unit-length activations of the five layers, for repeated comparison.

        Args:
            picture: `(height, width, 3)` sRGB.
        """
        image = picture.astype(np.float32) / 127.5 - 1.0
        values = (_large_enough(image) - _SHIFT) / _SCALE
        found: Features = []
        for layer in range(5):
            if layer in _POOLED:
                values = _max_pool(values)
            values = _convolve(
                values, self._kernels[layer], self._biases[layer], _STRIDES[layer], _PADS[layer]
            )
            np.maximum(values, 0.0, out=values)
            length = np.sqrt(np.square(values).sum(axis=2, keepdims=True))
            found.append(values / (length + _EPSILON))
        return found

    def distance(self, one: Features, other: Features) -> float:
        """Return the distance of two pictures of the same size by their features; 0 when equal."""
        total = 0.0
        for a, b, weights in zip(one, other, self._linear, strict=True):
            total += float((np.square(a - b) @ weights).mean())
        return total

    def __call__(self, picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
        """Return the distance of two pictures `(height, width, 3)` of the same size."""
        return self.distance(self.features(picture), self.features(truth))


def _large_enough(image: NDArray[np.float32]) -> NDArray[np.float32]:
    import cv2

    shorter = min(image.shape[:2])
    if shorter >= SMALLEST:
        return image
    factor = SMALLEST / shorter
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _convolve(
    values: NDArray[np.float32],
    kernel: NDArray[np.float32],
    bias: NDArray[np.float32],
    stride: int,
    pad: int,
) -> NDArray[np.float32]:
    """Convolve `(h, w, c)` with `(k, k, c, n)` as one matrix product."""
    padded = np.pad(values, ((pad, pad), (pad, pad), (0, 0)))
    size = kernel.shape[0]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    windows = windows[::stride, ::stride].transpose(0, 1, 3, 4, 2)
    height, width = windows.shape[:2]
    product = windows.reshape(height * width, -1) @ kernel.reshape(-1, kernel.shape[3])
    return product.reshape(height, width, -1) + bias


def _max_pool(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest of each 3 x 3 window, every second one."""
    height, width = ((side - 3) // 2 + 1 for side in values.shape[:2])
    parts = [
        values[y : y + 2 * height - 1 : 2, x : x + 2 * width - 1 : 2]
        for y in range(3)
        for x in range(3)
    ]
    return np.maximum.reduce(parts)


class _ArraysOnly(pickle.Unpickler):
    """Reads nested dictionaries of arrays; anything else in the file is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three names that a pickled array needs."""
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _reconstruct
        raise pickle.UnpicklingError(f"{module}.{name} in a file of weights")


def _reconstruct(kind: type, shape: tuple[int, ...], code: object) -> NDArray[Any]:
    """Return the empty array that a pickle fills; only plain arrays."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("not a plain array in a file of weights")
    return np.ndarray(shape, np.dtype("u1"))


def _load(path: Path) -> dict[str, Any]:
    # The digest of the file is checked before; the narrow reader is for what nobody thought of.
    with path.open("rb") as file:
        try:
            return _ArraysOnly(file).load()
        except (pickle.UnpicklingError, EOFError, ValueError, KeyError) as error:
            raise ModelFileError(
                f"{path.name} is not a file of weights: {error}",
                hint="Delete it and fetch it again: lifemask evaluate --fetch",
            ) from error
