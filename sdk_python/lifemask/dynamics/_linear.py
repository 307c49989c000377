"""The linear back-end: a few basis maps, mixed by features of the input."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.dynamics._contract import GAZE, INPUT_COUNT, VIEW, InputRange
from lifemask.heads import COEFFICIENT_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout

LINEAR_SCHEMA: Final = 1
STATEMENT: Final = "learnt from the user's own footage"
"""What the numbers of a fitted back-end come from."""

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "mouth": ("mouth", "cavity", "teeth", "tongue"),
    "eye_left": ("eye_left", "eyeball_left"),
    "eye_right": ("eye_right", "eyeball_right"),
    "face": ("forehead", "face"),
}
"""Regions that share weights of the basis maps."""
ZERO: Final = 128
"""Byte of a map that stands for no residual."""


def _pairs() -> tuple[tuple[int, int], ...]:
    """Return the features: inputs, and the products of two that matter."""
    named = [
        ("jawOpen", "jawOpen"),
        ("jawOpen", "mouthClose"),
        ("jawOpen", "mouthPucker"),
        ("jawOpen", "mouthFunnel"),
        ("jawOpen", "mouthSmileLeft"),
        ("jawOpen", "mouthSmileRight"),
        ("mouthPucker", "mouthPucker"),
        ("mouthSmileLeft", "mouthSmileRight"),
        ("eyeBlinkLeft", "eyeBlinkLeft"),
        ("eyeBlinkRight", "eyeBlinkRight"),
        ("browInnerUp", "browInnerUp"),
        ("eyeSquintLeft", "eyeBlinkLeft"),
        ("eyeSquintRight", "eyeBlinkRight"),
    ]
    products = [(COEFFICIENT_INDEX[a], COEFFICIENT_INDEX[b]) for a, b in named]
    products += [(i, i) for i in range(GAZE.start, GAZE.stop)]
    # The iris goes sideways and up at once, and lids follow it.
    for yaw, blink in ((GAZE.start, "eyeBlinkLeft"), (GAZE.start + 2, "eyeBlinkRight")):
        lid = COEFFICIENT_INDEX[blink]
        products += [(yaw, yaw + 1), (yaw, lid), (yaw + 1, lid)]
    products += [(i, i) for i in range(VIEW.start, VIEW.start + 2)]
    return (*((i, -1) for i in range(INPUT_COUNT)), *products)


FEATURES: Final = _pairs()
"""Numbers of two inputs that are multiplied; -1 stands for a factor of one."""


def linear_features(inputs: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the features `(..., n_features)` of inputs `(..., 59)`, see `FEATURES`."""
    values = np.asarray(inputs, np.float32)
    extended = np.concatenate([values, np.ones_like(values[..., :1])], axis=-1)
    first, second = np.array(FEATURES).T
    return extended[..., first] * extended[..., second]


@dataclass(frozen=True)
class LinearGroup:
    """Regions that share the weights of their basis maps.

    Attributes:
        name: One of `GROUPS`.
        matrix: `(n_features, k)` float32, from features to weights.
        offset: `(k,)` float32, added to them.
        low: `(k,)` float32, smallest weight in training; weights are clipped.
        high: `(k,)` float32.
        scales: `(k + 1,)` float32, residual that a byte of 255 stands for, of the mean and of
            each basis map.
    """

    name: str
    matrix: NDArray[np.float32]
    offset: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    scales: NDArray[np.float32]

    def weights(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the weights `(k,)` of the basis maps."""
        return np.clip(features @ self.matrix + self.offset, self.low, self.high)


@dataclass(frozen=True)
class LinearTexture:
    """A dynamic texture that is linear in features of the input.

    Residual = mean + sum of weight x map, for each group with its own weights; both are kept as
    they are shipped, in 8 bits, so that every engine computes the same.

    Attributes:
        layout: Regions and packing.
        input_range: Of the training inputs.
        groups: In the order of `GROUPS`.
        maps: `(k + 1, size, size, 3)` uint8, the mean first; `ZERO` is no residual, 255 the
            scale of the group that a texel belongs to.
    """

    layout: Layout
    input_range: InputRange
    groups: tuple[LinearGroup, ...]
    maps: NDArray[np.uint8]

    kind = "linear"

    def evaluate(self, inputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the packed atlas, see `DynamicTexture.evaluate`."""
        features = linear_features(self.input_range.clamp(inputs))
        output = np.full((self.layout.size * self.layout.size, 3), 0.5, np.float32)
        for group, (index, basis) in zip(self.groups, self._prepared, strict=True):
            weights = np.concatenate([[np.float32(1)], group.weights(features)])
            output[index] = (weights @ basis).reshape(-1, 3)
        np.clip(output, 0.0, 1.0, out=output)
        return output.reshape(self.layout.size, self.layout.size, 3)

    @cached_property
    def _prepared(self) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Return for each group its texels and its maps, ready to be summed up."""
        scale = self.layout.scales().reshape(-1, 1)
        found = []
        for group in self.groups:
            index = group_texels(self.layout, group.name)
            count = len(group.scales)
            bytes_ = self.maps[:count].reshape(count, -1, 3)[:, index].astype(np.float32)
            unit = group.scales[:, None, None] / np.float32(255 - ZERO)
            basis = (bytes_ - ZERO) * unit / (2.0 * scale[index])
            basis[0] += 0.5
            found.append((index, np.ascontiguousarray(basis.reshape(count, -1), np.float32)))
        return found

    def to_files(self) -> Mapping[str, bytes]:
        """Return `linear.json` and `linear.png`, the maps side by side, rows of four."""
        import cv2

        tiles = tiled(self.maps)
        ok, png = cv2.imencode(".png", tiles[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 6])
        if not ok:
            raise ValueError("the maps cannot be encoded")
        data = png.tobytes()
        record = {
            "schema": LINEAR_SCHEMA,
            "statement": STATEMENT,
            "features": [list(pair) for pair in FEATURES],
            "input_range": self.input_range.to_dict(),
            "maps": len(self.maps),
            "maps_sha256": hashlib.sha256(data).hexdigest(),
            "columns": COLUMNS,
            "zero": ZERO,
            "groups": [
                {
                    "name": group.name,
                    "regions": list(GROUPS[group.name]),
                    **{key: _listed(getattr(group, key)) for key in ARRAYS},
                }
                for group in self.groups
            ],
        }
        buffer = io.StringIO()
        json.dump(record, buffer, separators=(",", ":"), allow_nan=False)
        return {"linear.json": buffer.getvalue().encode(), "linear.png": data}


ARRAYS: Final = ("matrix", "offset", "low", "high", "scales")
COLUMNS: Final = 4
"""Maps in a row of the picture."""


def tiled(maps: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return maps `(n, size, size, 3)` as one picture, `COLUMNS` in a row."""
    count, size = maps.shape[:2]
    rows = -(-count // COLUMNS)
    padded = np.full((rows * COLUMNS, size, size, 3), ZERO, np.uint8)
    padded[:count] = maps
    grid = padded.reshape(rows, COLUMNS, size, size, 3).transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(grid.reshape(rows * size, COLUMNS * size, 3))


def group_texels(layout: Layout, name: str) -> NDArray[np.int64]:
    """Return which texels `(n,)` of the flattened packed atlas a group changes."""
    chosen = np.zeros((layout.size, layout.size), bool)
    for region in layout.regions:
        if region.name in GROUPS[name]:
            chosen[region.window] = region.mask > 0
    return np.flatnonzero(chosen.ravel())


def _listed(values: NDArray[np.float32]) -> list[Any]:
    """Return an array as nested lists, in as few digits as give the same float32 again."""
    if values.ndim > 1:
        return [_listed(row) for row in values]
    return [float(np.format_float_positional(x, unique=True)) for x in values]
