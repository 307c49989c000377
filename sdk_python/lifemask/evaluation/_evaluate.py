"""The public function `lifemask.evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lifemask._errors import InputError
from lifemask._files import write_bytes
from lifemask._progress import ProgressCallback, no_progress
from lifemask.evaluation._fit_only import evaluate_fits
from lifemask.evaluation._inputs import Task, run_all
from lifemask.evaluation._people import rank_one
from lifemask.evaluation._report import report_page
from lifemask.evaluation._splits import SPLIT_NAMES, SplitName
from lifemask.evaluation._targets import judge
from lifemask.rigging import load_other_head

if TYPE_CHECKING:
    from lifemask.evaluation._measure import FitMeasurement
    from lifemask.tracking import FaceChoice

DOCUMENT_VERSION = 1


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` measured and wrote.

    Attributes:
        measurements: How well each input was fitted, but for those that could not be evaluated.
        document: Content of `report.json`.
        json_path: The numbers.
        html_path: The page with the pictures.
    """

    measurements: list[FitMeasurement]
    document: dict[str, Any]
    json_path: Path
    html_path: Path

    @property
    def passed(self) -> bool:
        """Whether no limit that must be kept is missed."""
        return bool(self.document["passed"])

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `report.json`."""
        return self.document


def evaluate(
    inputs: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    split: Literal["blocks", "last", "both"] = "both",
    fit_only: bool = False,
    marks: str | Path | None = None,
    synthetic: Sequence[str | Path] = (),
    face: FaceChoice | None = None,
    jobs: int = 1,
    head: str = "default",
    head_path: str | Path | None = None,
    network: bool = False,
    videos: bool = False,
    progress: ProgressCallback = no_progress,
) -> Evaluation:
    """Measure how much avatars look and move like the people they were built from.

    Each input is one person. A clip is split into training and test frames; an avatar is built
    from the training frames alone and compared with the test frames, twice: *tracked*, with the
    test frames seen by the offline tracker, and *driven*, by what a server streams. The mean
    frame and the best copy of a training frame stand beside it. A photo is compared with itself.
    What is measured and why: docs/evaluation.md. Writes `report.json`, `report.html`, and for
    each input a folder with pictures and the avatars' packages, whose manifests keep the numbers.

    Args:
        inputs: Photos and video files.
        output: Folder for the report; made where it does not exist.
        split: `"blocks"` holds back every fifth block of 12 frames, `"last"` the last 20 percent.
        fit_only: Only fit the inputs and measure the distance to the landmarks: a tenth of the
            time. Then an input that cannot be used raises instead of being reported.
        marks: Folder with frames of clips that were marked by hand, `NAME.json` for `NAME.mp4`,
            as in `benchmarks/marks`: blinks and closed lips are scored against them.
        synthetic: Files `synthetic.json` of `lifemask.evaluation.synthetic` that the report is to
            show too.
        face: Which face of a photo is meant where there are several.
        jobs: Inputs that are evaluated at the same time, in processes of their own. With more
            than one, a script needs `if __name__ == "__main__":` around its call.
        head: Another head model (`"ict"`, `"flame"`) to fit beside the default one; implies
            `fit_only`, because avatars are built on the default head.
        head_path: The user's own file of that model, see `load_head_model`.
        network: Train the texture network of every avatar that is built from a clip, which takes
            minutes for each; the linear and the key textures are made in any case.
        videos: Write the held-out frames of each split beside the avatar's, `NAME/SPLIT.mp4`.
        progress: Called as `progress(stage, fraction)`.

    Raises:
        InputError: There is no input, or none of them can be evaluated; the subclass says why. A
            file that was given beside them cannot be read.
        ModelFileError: The landmarker's model was not found.
        MissingExtraError: A network is to be trained, and torch is not installed.
    """
    paths = [Path(inputs)] if isinstance(inputs, str | Path) else [Path(one) for one in inputs]
    if not paths:
        raise InputError("nothing to evaluate", hint="Give one or more photos or videos.")
    other = None if head == "default" else load_other_head(head, head_path)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    json_path, html_path = folder / "report.json", folder / "report.html"
    if fit_only or other is not None:
        measurements, document = evaluate_fits(paths, folder, face, progress, other)
    else:
        splits = SPLIT_NAMES if split == "both" else (_known(split),)
        known = None if marks is None else Path(marks)
        others = [_synthetic(Path(one)) for one in synthetic]
        tasks = [
            Task(path, folder / name, tuple(splits), face, known, network, videos)
            for path, name in zip(paths, _folder_names(paths), strict=True)
        ]
        measurements, document = _evaluate_all(tasks, others, jobs, progress)
        write_bytes(html_path, report_page(document, folder).encode())
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(json_path, text.encode() + b"\n")
    return Evaluation(measurements, document, json_path, html_path)


def _known(split: str) -> SplitName:
    for name in SPLIT_NAMES:
        if name == split:
            return name
    raise InputError(
        f"there is no split {split!r}", hint=f"Choose {', '.join(SPLIT_NAMES)} or both."
    )


def _synthetic(path: Path) -> dict[str, Any]:
    """Return what was measured of synthetic people."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or "head" not in document:
            raise ValueError("it has no head")
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path.name} does not hold measurements of synthetic people: {error}",
            hint="It is written by tools/synthetic/evaluate.py.",
        ) from error
    return document


def _evaluate_all(
    tasks: Sequence[Task],
    synthetic: list[dict[str, Any]],
    jobs: int,
    progress: ProgressCallback,
) -> tuple[list[FitMeasurement], dict[str, Any]]:
    from lifemask._version import __version__

    done = run_all(tasks, jobs, progress)
    found = {task.folder.name: one for task, one in zip(tasks, done.inputs, strict=True)}
    document: dict[str, Any] = {
        "format": "lifemask-evaluation",
        "version": DOCUMENT_VERSION,
        "lifemask": __version__,
        "machine": done.machine,
        "splits": list(tasks[0].splits),
        "not_computed": done.not_computed,
        "inputs": [one.document for one in done.inputs],
        "people": rank_one(found),
        "synthetic": synthetic,
        "seconds": done.seconds,
    }
    document["targets"] = judge(document)
    document["passed"] = not any(one["verdict"] == "missed" for one in document["targets"])
    return [one.fit for one in done.inputs if one.fit is not None], document


def _folder_names(paths: Sequence[Path]) -> list[str]:
    """Return one name for each input, that of its file, with a number where it repeats."""
    names: list[str] = []
    for path in paths:
        name, number = path.stem, 2
        while name.lower() in {other.lower() for other in names}:
            name, number = f"{path.stem}-{number}", number + 1
        names.append(name)
    return names
