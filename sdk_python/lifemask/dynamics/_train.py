"""Training of the texture network (paper 001, section 3.4) in texture space, on a processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._progress import ProgressCallback, no_progress
from lifemask.dynamics._export import network_bytes
from lifemask.dynamics._network import import_torch, network_spec, tile_cells
from lifemask.dynamics._train_data import input_scaling, training_set, without_tail
from lifemask.dynamics._train_preview import write_preview
from lifemask.dynamics._train_run import CHECK, TrainingRun
from lifemask.dynamics._train_state import load_state, save_state, training_key
from lifemask.dynamics._views import packed_albedo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.dynamics._samples import TextureSamples

DEFAULT_STEPS: Final = 600
_UNTRIED_STEPS: Final = 100
"""Where there are too few samples to find out how many steps are best."""
_STAGE: Final = "train the texture network"


@dataclass(frozen=True)
class TrainedNetwork:
    """A texture network and how well it does.

    Attributes:
        onnx: The file, see `network_bytes`.
        metrics: `steps` of the network that is kept, and root mean square errors of the trial's
            output over the tail that was held out of it, weighted as in training: `static` (no
            dynamic texture), `taught` (before the network saw pictures) and `network`.
    """

    onnx: bytes
    metrics: Mapping[str, float]


def train_network(
    samples: TextureSamples,
    *,
    seed: int = 0,
    steps: int = DEFAULT_STEPS,
    checkpoint: Path | None = None,
    progress: ProgressCallback = no_progress,
    preview: Path | None = None,
    albedo: NDArray[np.uint8] | None = None,
) -> TrainedNetwork:
    """Learn a person's dynamic texture from a clip.

    A first training with the last tenth of the samples held out finds after how many steps the
    network is best there; a second one does as many with all of them, because each frame counts:
    one without neighbours in time is worth more than all that many steps bring.

    The same samples, seed and steps give the same bytes on the same machine, also when training
    was interrupted and went on from its checkpoint.

    Args:
        samples: In the order of time.
        seed: Of first weights, sampling and noise.
        steps: At most, of each of both trainings.
        checkpoint: File to keep the state in; training goes on from it if it fits, and starts
            afresh if not. It is left behind at the end.
        progress: Told after every step.
        preview: Folder for pictures of what the network does with some samples (what was
            seen, static texture, network; packed as the residuals are), every fifty steps.
        albedo: `(h, w, 3 or 4)` sRGB, the head's, for those pictures.

    Raises:
        MissingExtraError: torch or onnx is not installed.
        InputError: Too few samples, or nothing was seen.
        ExportError: A checkpoint or picture cannot be written.
        ValueError: `steps` is not positive, or no network has the size of the layout.
    """
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected 1 or more")
    import_torch()
    spec = network_spec(samples.layout)
    cells, inputs = tile_cells(samples.layout), input_scaling(samples.inputs)
    key = training_key(samples, spec, seed, steps)
    data = training_set(samples, inputs)
    grey = np.full((samples.layout.size, samples.layout.size, 3), 0.5, np.float32)
    static = grey if albedo is None else packed_albedo(albedo, samples.layout)
    trial, final = (
        TrainingRun(spec, samples.layout, cells, part, seed, steps)
        for part in (without_tail(data), data)
    )
    keeper = _Keeper((trial, final), checkpoint, key, progress, preview, static)
    keeper.restore()
    tried = trial.data.train < data.train
    if tried:
        keeper.follow(trial, steps)
    keeper.follow(final, trial.best_step if tried else min(steps, _UNTRIED_STEPS))
    progress(_STAGE, 1.0)
    metrics = {"steps": float(final.step), **trial.errors}
    if tried:
        metrics["network"] = trial.best_error
    return TrainedNetwork(network_bytes(spec, final.best_weights(), cells, inputs), metrics)


@dataclass(frozen=True)
class _Keeper:
    """Does the steps of the trainings and tells about them; see `train_network`."""

    runs: tuple[TrainingRun, TrainingRun]
    checkpoint: Path | None
    key: str
    progress: ProgressCallback
    preview: Path | None
    static: NDArray[np.float32]

    def restore(self) -> None:
        """Go on from the checkpoint if there is one that fits."""
        kept = load_state(self.checkpoint, self.key) if self.checkpoint else None
        for run, state in zip(self.runs, (kept or {}).get("runs", []), strict=False):
            run.restore(state)

    def follow(self, run: TrainingRun, goal: int) -> None:
        """Train until `goal` steps are done, or nothing is gained any more."""
        number = self.runs.index(run)
        if not run.begun:
            run.start()
        while run.step < goal and not run.stalled:
            run.advance()
            self.progress(_STAGE, 0.5 * number + 0.5 * run.step / goal)
            if run.step % CHECK and run.step < goal:
                continue
            run.check()
            if self.checkpoint is not None:
                states = [one.state() for one in self.runs if one.begun]
                save_state(self.checkpoint, self.key, {"runs": states})
            if self.preview is not None:
                name = f"{number + 1}_{run.step:04d}"
                write_preview(self.preview, name, self.static, run.shown())
