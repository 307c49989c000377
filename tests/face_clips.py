"""Training samples of a made-up clip: a mouth that opens, eyes that blink, a brow that creases."""

from __future__ import annotations

import numpy as np

from lifemask.dynamics import (
    InputRange,
    Layout,
    Profile,
    TextureSamples,
    dynamic_input,
    face_layout,
)
from lifemask.heads import COEFFICIENT_NAMES, load_head_model


def make_layout(profile: Profile = "desktop") -> Layout:
    """Return the layout of the default head."""
    return face_layout(load_head_model().topology, profile)


def make_samples(layout: Layout, count: int = 48, seed: int = 0) -> TextureSamples:
    """Return samples whose residuals follow from the inputs, with a bend that is not linear."""
    rng = np.random.default_rng(seed)
    inputs = np.stack([_expression(index, rng) for index in range(count)])
    waves = _waves(layout)
    targets = np.zeros((count, layout.size, layout.size, 3), np.float16)
    seen = np.where(layout.masks() > 0, 255, 0).astype(np.uint8)
    for index, values in enumerate(inputs):
        jaw, blink, brow = values[NUMBERS[0]], values[NUMBERS[1]], values[NUMBERS[2]]
        for region in layout.regions:
            amount = {"mouth": jaw, "eye": blink, "forehead": brow**2}
            share = amount.get(region.name.split("_")[0], np.float32(jaw > 0.5))
            targets[index][region.window] = region.scale * share * waves[region.window]
    weights = np.repeat(seen[None], count, axis=0)
    gains = np.ones(count, np.float32)
    return TextureSamples(inputs, targets, weights, layout, np.arange(count), gains)


NUMBERS = [COEFFICIENT_NAMES.index(n) for n in ("jawOpen", "eyeBlinkLeft", "browInnerUp")]


def _expression(index: int, rng: np.random.Generator) -> np.ndarray:
    values = np.clip(0.005 * rng.standard_normal(52), 0.0, 1.0)
    for number, rate in zip(NUMBERS, (0.31, 0.53, 0.17), strict=True):
        values[number] = 0.5 + 0.5 * np.sin(rate * index)
    return dynamic_input(values)


def _waves(layout: Layout) -> np.ndarray:
    y, x = np.mgrid[: layout.size, : layout.size] / layout.size
    waves = [np.sin(40 * x + 9 * c) * np.cos(31 * y + 5 * c) for c in range(3)]
    return 0.4 * np.stack(waves, axis=-1).astype(np.float32)


def random_network(layout, seed=0, strength=1.0):
    """Return a module with weights that are nowhere zero, and the same as a file."""
    import torch

    from lifemask.dynamics._export import InputScaling, network_bytes
    from lifemask.dynamics._network import build_module, network_spec, tile_cells

    spec = network_spec(layout)
    cells = tile_cells(layout)
    network = build_module(spec, cells, seed)
    strong = ("head", "bend", "weights", "basis", "mean", "detail")[: 5 + spec.detailed]
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            if name.split(".")[0] in strong:
                tensor += torch.from_numpy(
                    0.03 * strength * rng.standard_normal(tuple(tensor.shape), np.float32)
                )
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    low = np.full(59, -0.5, np.float32)
    mean = rng.normal(0, 0.2, 59).astype(np.float32)
    scaling = InputScaling(InputRange(low, -low * 2), mean, np.full(59, 2, np.float32))
    return network, scaling, network_bytes(spec, weights, cells, scaling)
