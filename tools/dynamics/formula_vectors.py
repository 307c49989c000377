"""Write the test vectors of the dynamic texture's formulas.

    python -m tools.dynamics.formula_vectors

A layout of four regions in 32 x 32 texels, a key and a linear texture of random maps, an albedo
of 64 x 64, and what comes out for a few inputs, with the numbers in between. Engines read the
same files and compare; docs/dynamic_formulas.md says how.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lifemask.dynamics import (
    DRIVER_NAMES,
    InputRange,
    KeyRegion,
    KeyTexture,
    Layout,
    Region,
    compose,
    driver_values,
    dynamic_input,
)
from lifemask.dynamics._key import key_matrix
from lifemask.dynamics._linear import (
    FEATURES,
    GROUPS,
    LinearGroup,
    LinearTexture,
    linear_features,
)

FOLDER: Final = Path(__file__).resolve().parents[2] / "protos" / "testdata" / "dynamics"

_ALBEDO: Final = 64
_MAPS: Final = 5
_PLACES: Final = {
    "mouth": ((0.25, 0.5, 0.75, 0.75), (0, 0, 20, 14)),
    "eye_left": ((0.5, 0.125, 0.875, 0.4375), (20, 0, 12, 14)),
    "eye_right": ((0.0625, 0.125, 0.4375, 0.4375), (0, 14, 12, 14)),
    "forehead": ((0.25, 0.0, 0.75, 0.125), (12, 14, 20, 8)),
}


def vectors() -> dict[str, bytes]:
    """Return all files by name; the same every time, up to the compression of pictures."""
    random = np.random.default_rng(59)
    layout = _layout()
    albedo = _smooth(random, _ALBEDO, _ALBEDO, 3, 60, 220)
    textures = {"key": _key(random, layout), "linear": _linear(random, layout)}
    files = {
        "layout.json": _json(layout.to_dict()),
        "masks.png": _png(layout.masks()),
        "albedo.png": _png(albedo),
    }
    cases = []
    for number, inputs in enumerate(_inputs(random)):
        case: dict[str, Any] = {"input": [float(f"{x:.7g}") for x in inputs]}
        given = np.array(case["input"], np.float32)
        case["key"] = _between_key(textures["key"], given)
        case["linear"] = _between_linear(textures["linear"], given)
        for kind, texture in textures.items():
            output = texture.evaluate(given)
            files[f"{kind}_{number}.png"] = _png(np.rint(255 * output).astype(np.uint8))
            files[f"{kind}_{number}_composed.png"] = _png(compose(albedo, output, layout))
        cases.append(case)
    for texture in textures.values():
        files |= texture.to_files()
    files["vectors.json"] = _json({"schema": 1, "cases": cases})
    return files


def _layout() -> Layout:
    regions = []
    for name, (uv, place) in _PLACES.items():
        _, _, width, height = place
        x = np.minimum(np.arange(width), np.arange(width)[::-1]) / 3
        y = np.minimum(np.arange(height), np.arange(height)[::-1]) / 3
        mask = np.clip(np.minimum(y[:, None], x[None, :]), 0, 1)
        scale = 1.0 if name == "forehead" else 0.5
        regions.append(Region(name, uv, place, np.rint(255 * mask).astype(np.uint8), scale))
    return Layout(tuple(regions), 32)


def _inputs(random: np.random.Generator) -> list[NDArray[np.float32]]:
    rest = dynamic_input(np.zeros(52))
    usual = dynamic_input(random.uniform(0, 0.6, 52), [0.2, -0.1, 0.15, -0.1], [0.2, 0.1, 1])
    strong = dynamic_input((random.uniform(0, 1, 52) > 0.6) * 1.0, [-0.5, 0.3, -0.5, 0.3])
    outside = np.concatenate([random.uniform(-1, 3, 52), random.uniform(-2, 2, 4), [0, 0, 1]])
    return [rest, usual, strong, outside.astype(np.float32)]


def _range() -> InputRange:
    low = np.concatenate([np.zeros(52), np.full(4, -0.6), np.full(3, -1.0)])
    high = np.concatenate([np.full(52, 0.9), np.full(4, 0.6), np.full(3, 1.0)])
    return InputRange(low.astype(np.float32), high.astype(np.float32))


def _key(random: np.random.Generator, layout: Layout) -> KeyTexture:
    keys = np.stack([_smooth(random, 32, 32, 3, 40, 220) for _ in range(6)])
    masks = _smooth(random, 32, 32, 6, 0, 255)
    regions = {}
    for region in layout.regions:
        used = np.sort(random.choice(len(DRIVER_NAMES), 9, replace=False))
        gains = np.zeros((6, len(DRIVER_NAMES)), np.float32)
        channels = np.zeros((len(DRIVER_NAMES), 6), np.float32)
        gains[:, used] = np.round(random.uniform(-0.6, 1.0, (6, 9)), 4)
        channels[used] = np.round(random.uniform(0, 0.4, (9, 6)), 4)
        regions[region.name] = KeyRegion(gains, channels, (1, 2, 3), ())
    return KeyTexture(layout, keys, masks, regions, _range(), "random numbers", generic=True)


def _linear(random: np.random.Generator, layout: Layout) -> LinearTexture:
    maps = np.stack([_smooth(random, 32, 32, 3, 30, 230) for _ in range(_MAPS)])
    count = _MAPS - 1
    groups = tuple(
        LinearGroup(
            name,
            np.round(random.normal(0, 0.15, (len(FEATURES), count)), 4).astype(np.float32),
            np.round(random.normal(0, 0.2, count), 4).astype(np.float32),
            np.full(count, -1, np.float32),
            np.full(count, 1, np.float32),
            np.round(random.uniform(0.05, 0.3, count + 1), 4).astype(np.float32),
        )
        for name in GROUPS
    )
    return LinearTexture(layout, _range(), groups, maps)


def _between_key(texture: KeyTexture, inputs: NDArray[np.float32]) -> dict[str, Any]:
    drivers = driver_values(texture.range.clamp(inputs))
    matrices = {
        name: [[float(f"{x:.7g}") for x in row] for row in key_matrix(part, drivers)]
        for name, part in texture.regions.items()
    }
    return {"drivers": [float(f"{x:.7g}") for x in drivers], "matrices": matrices}


def _between_linear(texture: LinearTexture, inputs: NDArray[np.float32]) -> dict[str, Any]:
    features = linear_features(texture.input_range.clamp(inputs))
    return {
        "weights": {
            group.name: [float(f"{x:.7g}") for x in group.weights(features)]
            for group in texture.groups
        }
    }


def _smooth(
    random: np.random.Generator, height: int, width: int, count: int, low: int, high: int
) -> NDArray[np.uint8]:
    import cv2

    picture = np.stack(
        [cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), 2) for _ in range(count)],
        axis=2,
    )
    picture = (picture - picture.min()) / np.ptp(picture)
    return np.rint(low + (high - low) * picture).astype(np.uint8)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    files = vectors()
    for name, content in files.items():
        (FOLDER / name).write_bytes(content)
    print(f"{len(files)} files, {sum(map(len, files.values())) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
