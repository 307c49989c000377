"""Where the training of a texture network starts: at what a kernel regression predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.dynamics._network import NetworkSpec, import_torch, stored_maps
from lifemask.dynamics._pixels import shuffled, unshuffled
from lifemask.dynamics._teacher import RegionTeacher, fit_teacher
from lifemask.dynamics._train_data import varied_inputs

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout
    from lifemask.dynamics._train_data import TrainingSet

_MOST: Final = 480
"""Samples that the teacher keeps; of more, every second, third, …"""
_FILLINGS: Final = 3
_GUESSED: Final = 0.2
"""Least weight of what is assumed where a frame shows nothing, against what others show there."""
_LESSONS: Final = 8192
_LESSON_STEPS: Final = 1500
_LESSON_BATCH: Final = 256
_LESSON_RATE: Final = 4e-3


@dataclass(frozen=True)
class _Known:
    """Training samples at the size of the basis maps.

    Attributes:
        inputs: `(n, 59)` normalised.
        mean: `(3, side, side)`.
        fine_mean: `(12, size / 2, size / 2)`, the same at full size, `unshuffled`.
        deviations: `(n, 3 side side)` from the mean, multiplied with `root` and `shown`.
        shown: The same shape, float16 in [0, 1].
        root: `(3 side side,)` of what each value counts.
    """

    inputs: NDArray[np.float32]
    mean: NDArray[np.float32]
    fine_mean: NDArray[np.float32]
    deviations: NDArray[np.float32]
    shown: NDArray[np.float16]
    root: NDArray[np.float32]


@dataclass(frozen=True)
class _Lesson:
    """What a teacher says of the shares of the basis maps of one region.

    Attributes:
        teacher: Of the region.
        columns: `(k,)` places among the shares `(rank tiles,)`.
        solved: `(n, k)`, see `RegionTeacher.solve`.
    """

    teacher: RegionTeacher
    columns: NDArray[np.int64]
    solved: NDArray[np.float64]


def teach(
    network: torch.nn.Module,
    data: TrainingSet,
    layout: Layout,
    cells: NDArray[np.int64],
    spec: NetworkSpec,
    seed: int,
) -> None:
    """Give a network its mean and basis maps, and teach it their weights.

    Args:
        network: See `build_module`; its weights are set.
        data: Only its training samples are read.
        layout: Of the samples.
        cells: Tiles by cell, see `tile_cells`.
        spec: Of the network.
        seed: Of the lessons.
    """
    torch = import_torch()
    known = _pooled(data, spec.basis_size)
    maps = np.zeros((spec.rank, known.deviations.shape[1]), np.float32)
    spread = np.zeros(spec.rank * spec.tiles, np.float32)
    lessons = []
    tiles = np.tile(cells.repeat(2, axis=0).repeat(2, axis=1).ravel(), 3)
    for own in _tiles_of_regions(layout, cells):
        values = np.flatnonzero(np.isin(tiles, own) & (known.root > 0))
        if not len(values):
            continue
        deviations = known.deviations[:, values]
        teacher = fit_teacher(known.inputs, deviations, known.shown[:, values])
        smooth, deviations = _filled(teacher, known, values)
        columns, shares = [], []
        for tile in own:
            part = tiles[values] == tile
            if not part.any():
                continue
            directions = _principal(smooth[:, part], spec.rank)
            found = deviations[:, part] @ directions.T
            size = np.maximum(found.std(axis=0), 1e-6)
            maps[: len(directions), values[part]] = (
                directions * size[:, None] / known.root[values[part]]
            )
            columns.append(np.arange(len(directions)) * spec.tiles + tile)
            shares.append(found / size)
            spread[columns[-1]] = size
        places, target = np.concatenate(columns), np.concatenate(shares, axis=1)
        lessons.append(_Lesson(teacher, places, teacher.solve(target)))
    with torch.no_grad():
        shape = (spec.rank, 3, spec.basis_size, spec.basis_size)
        stored = stored_maps(maps.reshape(shape), cells, spec)
        network.get_parameter("basis").copy_(torch.from_numpy(stored))
        network.get_parameter("mean").copy_(torch.from_numpy(known.mean))
        if spec.detailed:
            coarse = network.get_submodule("enlarge")(torch.from_numpy(known.mean)[None])[0]
            left = (torch.from_numpy(known.fine_mean) - coarse).view(3, 4, spec.half, spec.half)
            network.get_parameter("detail").copy_(left.mean(dim=0))
    _learn(network, data, lessons, spread, seed)


def _filled(
    teacher: RegionTeacher, known: _Known, values: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what a teacher predicts for the training frames, and the frames it learnt from.

    What a frame does not show is replaced by what the teacher makes of the others.
    """
    near = teacher.kernel(known.inputs)
    shown = known.deviations[:, values]
    hidden = 1.0 - known.shown[:, values]
    filled = shown
    for _ in range(_FILLINGS - 1):
        smooth = np.asarray(near @ teacher.solve(filled), np.float32)
        filled = np.asarray(shown + hidden * smooth, np.float32)
    return np.asarray(near @ teacher.solve(filled), np.float32), filled


def _learn(
    network: Any,
    data: TrainingSet,
    lessons: list[_Lesson],
    spread: NDArray[np.float32],
    seed: int,
) -> None:
    """Fit the shares to what the teachers say of many inputs, seen or between those seen."""
    torch, rng = import_torch(), np.random.default_rng((seed, 2**31))
    inputs = varied_inputs(data, rng, _LESSONS)
    wanted = np.zeros((_LESSONS, len(spread)), np.float32)
    for lesson in lessons:
        wanted[:, lesson.columns] = lesson.teacher.kernel(inputs) @ lesson.solved
    weight = torch.from_numpy(np.square(spread) / max(float(np.square(spread).mean()), 1e-12))
    lessons_in, lessons_out = torch.from_numpy(inputs), torch.from_numpy(wanted)
    taught = [p for n, p in network.named_parameters() if n.split(".")[0] in _TAUGHT]
    optimizer = torch.optim.Adam(taught, lr=_LESSON_RATE, fused=True)
    for step in range(_LESSON_STEPS):
        for group in optimizer.param_groups:
            group["lr"] = _LESSON_RATE * (1.0 - step / _LESSON_STEPS)
        chosen = torch.from_numpy(rng.integers(_LESSONS, size=_LESSON_BATCH))
        optimizer.zero_grad(set_to_none=True)
        error = network.shares(lessons_in[chosen]) - lessons_out[chosen]
        (error.square() * weight).mean().backward()
        optimizer.step()


_TAUGHT: Final = ("dense", "weights", "bend")


def _tiles_of_regions(layout: Layout, cells: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    step = layout.size // len(cells)
    found = []
    for region in layout.regions:
        x, y, width, height = (round(value / step) for value in region.place)
        found.append(np.unique(cells[y : y + height, x : x + width]))
    return found


def _principal(rows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the first right singular vectors `(k, m)` of `(n, m)`, k at most `count`."""
    small = rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows
    values, vectors = np.linalg.eigh(small.astype(np.float64))
    kept = np.flatnonzero(values > 1e-9 * max(float(values.max()), 1e-30))[::-1][:count]
    directions = vectors[:, kept].T
    if len(rows) < rows.shape[1]:
        directions = directions @ rows / np.sqrt(values[kept])[:, None]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return (directions * signs[:, None]).astype(np.float32)


def _pooled(data: TrainingSet, side: int) -> _Known:
    """Return training samples at the size of the basis maps."""
    chosen = np.arange(0, data.train, -(-data.train // _MOST))
    shape = (*data.importance.shape, 3)
    total, weight = np.zeros(shape, np.float32), np.full((*shape[:2], 1), 1e-6, np.float32)
    most = np.full((*shape[:2], 1), 1e-6, np.float32)
    for index in chosen:
        share = _share(data, index)
        most = np.maximum(most, share)
        total += shuffled(data.targets[index : index + 1])[0] * share
        weight += share
    mean = total / weight
    half_mean = _block_means(total, side) / _block_means(weight, side)
    root = np.sqrt(_block_means(data.importance[..., None], side)[..., 0])
    deviations = np.empty((len(chosen), 3, side, side), np.float32)
    shown = np.empty(deviations.shape, np.float16)
    for row, index in enumerate(chosen):
        target = shuffled(data.targets[index : index + 1])[0]
        share = _share(data, index)
        known = np.minimum(2.0 * share / most, 1.0)
        known = np.maximum(known, np.where(share > 0, _GUESSED, 0.0), dtype=np.float32)
        deviation = known * (target - mean)
        shown[row] = _block_means(known, side).transpose(2, 0, 1)
        deviations[row] = _block_means(deviation, side).transpose(2, 0, 1) * root
    return _Known(
        data.inputs[chosen],
        np.ascontiguousarray(half_mean.transpose(2, 0, 1)),
        np.ascontiguousarray(unshuffled(mean[None])[0].transpose(2, 0, 1)),
        deviations.reshape(len(chosen), -1),
        shown.reshape(len(chosen), -1),
        np.tile(root.ravel(), 3),
    )


def _share(data: TrainingSet, index: int | np.integer[Any]) -> NDArray[np.float32]:
    return shuffled(data.seen[index : index + 1])[0] / np.float32(255)


def _block_means(picture: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    factor, channels = picture.shape[0] // side, picture.shape[2]
    parts = picture.reshape(side, factor, side, factor, channels)
    return parts.mean(axis=(1, 3))
