"""How long the texture network takes to run and to train, and how large its file is."""

from __future__ import annotations

import numpy as np
from _report import Measurement, publish, repeat

from lifemask.dynamics import (
    InputRange,
    Layout,
    NetworkTexture,
    Profile,
    TextureSamples,
    dynamic_input,
    face_layout,
    network_shader,
)
from lifemask.dynamics._export import InputScaling, network_bytes
from lifemask.dynamics._network import build_module, network_spec, tile_cells
from lifemask.dynamics._train_data import input_scaling, training_set
from lifemask.dynamics._train_run import TrainingRun
from lifemask.heads import load_head_model

SAMPLES = 120
NETWORK_BUDGET = 6.0
FILE_BUDGET = 2000.0
TIMES = 60


def main() -> None:
    """Measure and publish."""
    topology = load_head_model().topology
    rows = []
    for profile in ("web", "desktop", "high"):
        rows += network_rows(face_layout(topology, profile), profile)
    rows += training_rows(face_layout(topology, "desktop"))
    publish(
        "Texture network",
        rows,
        remarks=(
            "ONNX Runtime's processor provider, random weights, inputs within the range. Training "
            f"is measured on {SAMPLES} made-up frames of 256²: the lesson is the kernel regression "
            "and what the network learns from it, before it sees pictures; steps are of four "
            "frames. Training needs two lessons and up to twice 600 steps. torch uses as many "
            "threads as `OMP_NUM_THREADS` allows."
        ),
    )


def network_rows(layout: Layout, profile: Profile) -> list[Measurement]:
    """Time one evaluation of a network with random weights."""
    spec, cells = network_spec(layout), tile_cells(layout)
    rng = np.random.default_rng(0)
    module = build_module(spec, cells, 0)
    weights = {
        name: tensor.numpy() + 0.03 * rng.standard_normal(tuple(tensor.shape), np.float32)
        for name, tensor in module.state_dict().items()
    }
    ones = np.ones(59, np.float32)
    scaling = InputScaling(InputRange(-ones, ones), 0 * ones, ones)
    model = network_bytes(spec, weights, cells, scaling)
    shader = network_shader(model)
    inputs = iter(rng.uniform(-1, 1, (10_000, 59)).astype(np.float32))
    what = f"{profile}, {layout.size}²"
    budget = NETWORK_BUDGET if layout.size == 256 else None
    rows = [
        Measurement(f"{what}: file", [len(model) / 1000], "kB", FILE_BUDGET),
        Measurement(f"{what}: shader passes", [float(len(shader.passes))], "passes", 40.0),
    ]
    for threads in (1, 2):
        texture = NetworkTexture(model, layout, threads=threads)
        times = repeat(lambda run=texture: run.evaluate(next(inputs)), times=TIMES, warm_up=5)
        rows.append(Measurement(f"{what}: texture, {threads} threads", times, "ms", budget))
    return rows


def training_rows(layout: Layout) -> list[Measurement]:
    """Time the parts of training."""
    samples = made_up_samples(layout)
    spec, cells = network_spec(layout), tile_cells(layout)
    data = training_set(samples, input_scaling(samples.inputs))
    run = TrainingRun(spec, layout, cells, data, 0, 600)
    lesson = repeat(run.start, times=1, warm_up=0, scale=1.0)
    steps = repeat(run.advance, times=20, warm_up=3)
    return [
        Measurement("training: lesson", lesson, "s"),
        Measurement("training: step", steps, "ms"),
    ]


def made_up_samples(layout: Layout) -> TextureSamples:
    """Return samples of smooth patterns that follow three of the inputs."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: layout.size, : layout.size] / layout.size
    patterns = [np.sin(a * x + b * y) for a, b in rng.uniform(5, 40, (9, 2))]
    basis = np.stack(patterns).reshape(3, 3, layout.size, layout.size).transpose(0, 2, 3, 1)
    inputs, targets = [], []
    for index in range(SAMPLES):
        drivers = 0.5 + 0.5 * np.sin(index * np.array([0.31, 0.53, 0.17]))
        inputs.append(dynamic_input(np.concatenate([drivers, np.zeros(49)])))
        targets.append((0.1 * np.tensordot(drivers, basis, 1)).astype(np.float16))
    seen = np.where(layout.masks() > 0, 255, 0).astype(np.uint8)
    weights, gains = np.repeat(seen[None], SAMPLES, axis=0), np.ones(SAMPLES, np.float32)
    places = np.arange(SAMPLES)
    return TextureSamples(np.stack(inputs), np.stack(targets), weights, layout, places, gains)


if __name__ == "__main__":
    main()
