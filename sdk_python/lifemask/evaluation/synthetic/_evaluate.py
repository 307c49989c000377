"""The public function `evaluate_synthetic`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lifemask._errors import InputError
from lifemask._files import write_bytes
from lifemask._progress import no_progress
from lifemask.evaluation.synthetic._sizes import SIZES
from lifemask.evaluation.synthetic._study import HeadKind, Study
from lifemask.evaluation.synthetic._surfaces import Millimetres
from lifemask.evaluation.synthetic._tables import tables, targets
from lifemask.rigging import topology_map

if TYPE_CHECKING:
    from lifemask._progress import ProgressCallback

SizeName = Literal["quick", "short", "default", "full"]


def evaluate_synthetic(
    kind: HeadKind,
    output: str | Path,
    *,
    head_path: str | Path | None = None,
    size: SizeName = "default",
    progress: ProgressCallback = no_progress,
) -> dict[str, Any]:
    """Build and track people whose truth is known, and measure how wrong the product is.

    Draws portraits, Clip A and Clip B of random people, runs `lifemask.build` and the tracker on
    them, detector included, and compares head, coefficients, gaze, pose and albedo with the truth;
    beside it the same with projected landmarks instead of the detector. Writes `synthetic.json`,
    `synthetic.md`, the footage with its truth, and `turn.jpg`.

    Args:
        kind: Head model of the people: `"own"` or `"ict"`.
        output: Folder; made where it does not exist.
        head_path: ICT-FaceKit's file, for `"ict"`.
        size: How much: `"quick"` tests the code and judges nothing.
        progress: Called as `progress(stage, fraction)`.

    Returns:
        What `synthetic.json` holds.

    Raises:
        InputError: No such head model, or its file is missing.
        ModelFileError: The landmarker's model was not found.
    """
    if kind not in ("own", "ict"):
        raise InputError(f"no synthetic head '{kind}'", hint="Choose own or ict.")
    if kind == "ict" and head_path is None:
        raise InputError(
            "no file for the ICT head", hint="Give the path of ICT-FaceKit's npz file."
        )
    folder = Path(output)
    path = None if head_path is None else Path(head_path)
    found = _plain(Study(kind, SIZES[size], path, folder, progress).run())
    if kind == "ict":
        found["registration_floor_mm"] = dict(topology_map("default", "ict").floor_mm)
    found["targets"] = targets(found)
    text = json.dumps(found, indent=2, ensure_ascii=False)
    write_bytes(folder / "synthetic.json", text.encode())
    write_bytes(folder / "synthetic.md", tables(found).encode())
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Millimetres):
        return asdict(value)
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.item() if hasattr(value, "item") else value
