"""Running over the inputs: one after another or several at once, each on its own feet."""

from __future__ import annotations

import logging
import os
import platform
import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lifemask._errors import InputError, LifemaskError, ModelFileError
from lifemask._progress import no_progress
from lifemask.evaluation._clip_evaluation import evaluate_clip
from lifemask.evaluation._fit_only import read_photo
from lifemask.evaluation._photo_evaluation import evaluate_photo
from lifemask.evaluation._session import Evaluated, open_judges

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from lifemask._progress import ProgressCallback
    from lifemask.evaluation._splits import SplitName
    from lifemask.tracking import FaceChoice

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Task:
    """One input to evaluate.

    Attributes:
        path: Photo or video.
        folder: For its pictures and packages.
        splits: Of a video.
        face: Which face of a photo is meant.
        marks: Folder with marks of videos.
        network: Whether texture networks are trained for a video.
        videos: Whether held-out frames are written side by side.
    """

    path: Path
    folder: Path
    splits: tuple[SplitName, ...]
    face: FaceChoice | None
    marks: Path | None = None
    network: bool = False
    videos: bool = False


@dataclass(frozen=True)
class Done:
    """What came of all inputs.

    Attributes:
        inputs: In the order of the tasks.
        not_computed: What no network was there for, and why.
        machine: On which it ran.
        seconds: From beginning to end.
    """

    inputs: list[Evaluated]
    not_computed: dict[str, str]
    machine: str
    seconds: float


def run_all(tasks: Sequence[Task], jobs: int, progress: ProgressCallback) -> Done:
    """Evaluate all inputs; one that fails is reported and the others go on.

    Raises:
        ModelFileError: The landmarker's model was not found.
        InputError: No input could be evaluated: the first one's error.
    """
    start = time.perf_counter()
    outcomes = (
        _serial(tasks, progress) if min(jobs, len(tasks)) <= 1 else _parallel(tasks, jobs, progress)
    )
    errors = [error for _, _, error in outcomes]
    if all(error is not None for error in errors):
        first = errors[0]
        assert first is not None
        raise first
    not_computed: dict[str, str] = {}
    for _, missing, _ in outcomes:
        not_computed |= missing
    machine = (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    seconds = round(time.perf_counter() - start, 1)
    return Done([one for one, _, _ in outcomes], not_computed, machine, seconds)


_Outcome = tuple[Evaluated, dict[str, str], LifemaskError | None]


def _serial(tasks: Sequence[Task], progress: ProgressCallback) -> list[_Outcome]:
    return [_run(task, progress) for task in tasks]


def _parallel(tasks: Sequence[Task], jobs: int, progress: ProgressCallback) -> list[_Outcome]:
    """Run in processes of their own; of their reports, the beginnings of stages are passed on."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Spawned on every system: forked children inherit locks of MediaPipe's threads.
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=context) as pool,
    ):
        reports = manager.Queue()
        futures = [pool.submit(_run_reporting, task, reports) for task in tasks]
        while not all(future.done() for future in futures):
            try:
                progress(reports.get(timeout=_LOOK_SECONDS), 0.0)
            except queue.Empty:
                continue
        return [_result(task, future) for task, future in zip(tasks, futures, strict=True)]


def _result(task: Task, future: Future[_Outcome]) -> _Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    return _failure(task, error)


def _run_reporting(task: Task, reports: queue.Queue[str]) -> _Outcome:
    last = ""

    def report(stage: str, share: float) -> None:
        nonlocal last
        if stage != last:
            last = stage
            reports.put(stage)

    return _run(task, report)


def _run(task: Task, progress: Callable[[str, float], None] = no_progress) -> _Outcome:
    task.folder.mkdir(parents=True, exist_ok=True)
    try:
        with open_judges() as (judges, missing):
            image = read_photo(task.path)
            if image is None:
                found = evaluate_clip(
                    task.path, task.folder, task.splits, task.marks, judges, progress,
                    network=task.network, videos=task.videos,
                )  # fmt: skip
            else:
                found = evaluate_photo(task.path, image, task.folder, judges, task.face, progress)
        return found, missing, None
    except ModelFileError:
        raise
    except Exception as error:
        if not isinstance(error, LifemaskError):
            log.exception("an input could not be evaluated")
        return _failure(task, error)


def _failure(task: Task, error: BaseException) -> _Outcome:
    """Return the row of an input that could not be evaluated."""
    if isinstance(error, ModelFileError):
        raise error
    known = isinstance(error, LifemaskError)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    document: dict[str, Any] = {
        "name": task.path.name,
        "status": "not evaluated",
        "reason": reason,
        "hint": error.hint if isinstance(error, LifemaskError) else "",
    }
    kept = (
        error
        if isinstance(error, LifemaskError)
        else InputError(
            f"{task.path.name}: {reason}", hint="Please report this; the log holds the details."
        )
    )
    return Evaluated(document), {}, kept
