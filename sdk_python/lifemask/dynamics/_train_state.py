"""What training keeps on disk, so that a process that was killed goes on where it was."""

from __future__ import annotations

import hashlib
import pickle
from typing import TYPE_CHECKING, Any

from lifemask._files import atomic_path
from lifemask.dynamics._network import import_torch

if TYPE_CHECKING:
    from pathlib import Path

    from lifemask.dynamics._samples import TextureSamples


def training_key(samples: TextureSamples, *settings: object) -> str:
    """Return what decides the result: a checkpoint of another key is not gone on with.

    Args:
        samples: The training samples.
        settings: Everything else, with a `repr` that tells it.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for array in (samples.inputs, samples.targets, samples.weights):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(array.tobytes())
    for region in samples.layout.regions:
        digest.update(repr((region.name, region.place, region.scale)).encode())
    return digest.hexdigest()


def save_state(path: Path, key: str, state: dict[str, Any]) -> None:
    """Write a checkpoint under its final name only when it is complete.

    Raises:
        ExportError: The folder does not exist, or the disk is full.
    """
    with atomic_path(path) as temporary:
        import_torch().save({"key": key, **state}, temporary)


def load_state(path: Path, key: str) -> dict[str, Any] | None:
    """Return the state of a checkpoint; None if there is none, or it is of another training."""
    torch = import_torch()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError):
        return None
    return state if isinstance(state, dict) and state.get("key") == key else None
