"""The steps in which a texture network learns from pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.dynamics._network import NetworkSpec, build_module, import_torch
from lifemask.dynamics._pixels import shuffled, unshuffled
from lifemask.dynamics._train_data import TrainingSet
from lifemask.dynamics._train_loss import texture_loss
from lifemask.dynamics._train_start import teach

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from lifemask.dynamics._regions import Layout

CHECK: Final = 50
"""Steps between two looks at the held-out samples."""
_PATIENCE: Final = 4
_BATCH: Final = 4
_RATE: Final = 4e-4
_LAST_RATE: Final = 4e-5
_TAUGHT_RATE: Final = 0.25
"""Of the rate, for what a teacher has taught already."""
_DECAY: Final = 1e-3
_AVERAGE: Final = 0.999
_MIXED: Final = 0.3
"""Share of samples that are mixed with a neighbour."""
_SHOWN: Final = 3


@dataclass(eq=False)
class TrainingRun:
    """One training, from its first step to its last.

    Attributes:
        spec: Of the network.
        layout: Of the samples.
        cells: Tiles by cell, see `tile_cells`.
        data: Samples; if some are held out they decide which state is kept, else it is the last.
        seed: Of first weights, sampling and noise.
        steps: Over which the rate falls.
        step: Steps done.
        best_step: After which the network was best.
        best_error: Its error.
        errors: What others score.
    """

    spec: NetworkSpec
    layout: Layout
    cells: NDArray[np.int64]
    data: TrainingSet
    seed: int
    steps: int
    step: int = 0
    best_step: int = 0
    best_error: float = np.inf
    errors: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._torch = torch = import_torch()
        self._network = build_module(self.spec, self.cells, self.seed)
        taught = [p for n, p in self._network.named_parameters() if _is_taught(n)]
        rest = [p for n, p in self._network.named_parameters() if not _is_taught(n)]
        groups = [{"params": taught, "weight_decay": 0.0}, {"params": rest}]
        self._optimizer = torch.optim.AdamW(groups, lr=_RATE, weight_decay=_DECAY, fused=True)
        self._importance = unshuffled(self.data.importance[None, ..., None]) / np.float32(255)
        self._average: dict[str, torch.Tensor] = {}
        self._best: dict[str, torch.Tensor] = {}

    @property
    def begun(self) -> bool:
        """Whether `start` or `restore` was called."""
        return bool(self._average)

    def start(self) -> None:
        """Let a teacher begin and note what its lesson and the static texture score."""
        if self.data.train < len(self.data.inputs):
            self.errors["static"] = self._error(self._network)
        teach(self._network, self.data, self.layout, self.cells, self.spec, self.seed)
        own = self._network.state_dict()
        self._average = {name: tensor.detach().clone() for name, tensor in own.items()}
        self.check()
        self.errors["taught"] = self.best_error

    def advance(self) -> None:
        """Do one step."""
        torch, network = self._torch, self._network
        cosine = 0.5 + 0.5 * math.cos(math.pi * self.step / self.steps)
        rate = _LAST_RATE + (_RATE - _LAST_RATE) * cosine
        for group, factor in zip(self._optimizer.param_groups, (_TAUGHT_RATE, 1.0), strict=True):
            group["lr"] = rate * factor
        inputs, targets, weights = self._batch()
        self._optimizer.zero_grad(set_to_none=True)
        texture_loss(network(inputs), targets, weights).backward()
        self._optimizer.step()
        self.step += 1
        keep = min(_AVERAGE, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            own = network.state_dict()
            torch._foreach_lerp_(list(self._average.values()), list(own.values()), 1.0 - keep)

    def check(self) -> None:
        """Look at the held-out samples and keep the network if it is the best so far."""
        held = self.data.train < len(self.data.inputs)
        error = self._error(self._averaged()) if held else 0.0
        if error < self.best_error or not held:
            self.best_error, self.best_step = error, self.step
            self._best = {name: tensor.clone() for name, tensor in self._average.items()}

    @property
    def stalled(self) -> bool:
        """Whether the held-out samples have gained nothing for long."""
        return self.step - self.best_step >= _PATIENCE * CHECK

    def state(self) -> dict[str, Any]:
        """Return all that `restore` needs."""
        return {
            "step": self.step,
            "best_step": self.best_step,
            "best_error": self.best_error,
            "errors": self.errors,
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self._average,
            "best": self._best,
        }

    def restore(self, state: dict[str, Any] | None) -> bool:
        """Go on from a state; return whether there was one."""
        if state is None:
            return False
        self.step, self.best_step = state["step"], state["best_step"]
        self.best_error, self.errors = state["best_error"], state["errors"]
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._average, self._best = state["average"], state["best"]
        return True

    def best_weights(self) -> dict[str, NDArray[np.float32]]:
        """Return the parameters of the best network."""
        return {name: tensor.contiguous().numpy() for name, tensor in self._best.items()}

    def shown(self) -> list[list[NDArray[np.float32]]]:
        """Return the residuals that were seen and those of the network, for a few samples."""
        data, network = self.data, self._averaged()
        first = data.train if data.train < len(data.inputs) else 0
        factor = 2.0 * self.layout.scales() * (self.layout.masks()[..., None] / np.float32(255))
        pairs = []
        for index in np.linspace(first, len(data.inputs) - 1, _SHOWN).astype(int):
            with self._torch.no_grad():
                made = network(self._torch.from_numpy(data.inputs[index : index + 1]))
            known = shuffled(data.seen[index : index + 1])[0] > 0
            seen = shuffled(data.targets[index : index + 1])[0] * known
            texture = shuffled(made.permute(0, 2, 3, 1).numpy())[0]
            pairs.append([seen * factor, texture * factor])
        return pairs

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw samples; what is drawn depends on seed and step alone."""
        data, rng = self.data, np.random.default_rng((self.seed, self.step))
        chosen = rng.choice(data.train, _BATCH, p=data.chances)
        other = data.neighbours[chosen, rng.integers(data.neighbours.shape[1], size=_BATCH)]
        share = rng.random(_BATCH) * 0.5 * (rng.random(_BATCH) < _MIXED)
        inputs = data.inputs[chosen]
        inputs += share[:, None].astype(np.float32) * (data.inputs[other] - inputs)
        inputs += data.noise * rng.standard_normal(inputs.shape, np.float32)
        targets, seen = data.targets[chosen], data.seen[chosen]
        for index in np.flatnonzero(share):
            part, more = share[index].astype(np.float16), data.targets[other[index]]
            targets[index] += part * (more - targets[index])
            seen[index] = np.minimum(seen[index], data.seen[other[index]])
        return self._tensors(inputs, targets, seen)

    def _tensors(
        self, inputs: NDArray[np.float32], targets: NDArray[np.float16], seen: NDArray[np.uint8]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        from_numpy = self._torch.from_numpy
        parts = from_numpy(targets.astype(np.float32)), from_numpy(seen * self._importance)
        return from_numpy(inputs), *(part.permute(0, 3, 1, 2) for part in parts)

    def _averaged(self) -> torch.nn.Module:
        network = build_module(self.spec, self.cells, self.seed)
        network.load_state_dict(self._average)
        return network

    def _error(self, network: torch.nn.Module) -> float:
        """Return the weighted root mean square error of the held-out samples."""
        data, torch = self.data, self._torch
        total = weight_total = 0.0
        for index in range(data.train, len(data.inputs)):
            one = slice(index, index + 1)
            inputs, targets, weights = self._tensors(
                data.inputs[one], data.targets[one], data.seen[one]
            )
            with torch.no_grad():
                error = (network(inputs) - targets).square() * weights.repeat(1, 3, 1, 1)
            total += float(error.double().sum()) / 3.0
            weight_total += float(weights.double().sum())
        return float(np.sqrt(total / max(weight_total, 1e-9)))


def _is_taught(name: str) -> bool:
    return name.startswith(("dense", "weights", "bend", "basis", "mean", "detail", "enlarge"))
