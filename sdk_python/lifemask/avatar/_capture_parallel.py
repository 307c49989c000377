"""A clip looked at by several processes, with the same result as by one.

The calling process does the first part itself. The others are fresh interpreters with a job of
their own (no fork, and nothing of the caller's `__main__`), each of which opens the file and jumps
to its part. Whether the jump landed on the right frame is checked on the overlap: number, time and
checksum of its frames must be those that the part before has seen.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.avatar._capture_clip import Clip
from lifemask.avatar._capture_observe import CHUNK, OVERLAP, observe_span, wanted_frames
from lifemask.geometry import TruncatedVideoWarning, open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import VideoReader
    from lifemask.tracking import FaceChoice

PARALLEL_FROM: Final = 3 * CHUNK
"""Frames from which a second process is worth its start."""

_WORKER: Final = ["-m", "lifemask.avatar._capture_worker"]
_MOST_WORKERS: Final = 8
_PROBE: Final = 40
"""Frame at the front of a file on which jumping is tried."""


def observe_clip(
    path: Path,
    *,
    limit: Sequence[int] | None = None,
    choice: FaceChoice | None = None,
    workers: int | None = None,
    told: Callable[[float], None] = lambda share: None,
) -> Clip:
    """Find the face in every frame of a clip and score it.

    Args:
        path: The clip.
        limit: The only frames that may be looked at.
        choice: Which of several faces is meant; the largest when left out.
        workers: Processes; as many as there are cores when left out. Short clips take one.
        told: Receives the share that is done.

    Raises:
        VideoError: Not a video, or no frame can be decoded.
    """
    video = open_video(path)
    wanted = wanted_frames(video.frame_count, limit)
    count = len(wanted) if wanted is not None else 0
    parts = _parts(count, 1 if choice is not None else workers or _cores())
    counter = _Counter(max(count, 1), told)
    if wanted is None or len(parts) == 1:
        span = observe_span(video, wanted, 0, None, choice, lambda n: counter.note(0, n))
        arrays = span.to_arrays()
    else:
        arrays = _observe_together(video, wanted, parts, counter)
    return _clip(video, wanted, arrays)


def _parts(count: int, workers: int) -> list[tuple[int, int]]:
    """Divide places 0 to `count` into parts that begin on chunks."""
    chunks = -(-count // CHUNK)
    number = min(workers, _MOST_WORKERS, chunks) if count >= PARALLEL_FROM else 1
    edges = [CHUNK * (chunks * i // number) for i in range(number)] + [max(count, 1)]
    return list(itertools.pairwise(edges))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))  # portability: only where it is there
    return os.cpu_count() or 1


class _Counter:
    """Adds up what the processes have done; never goes back."""

    def __init__(self, total: int, told: Callable[[float], None]) -> None:
        self._total = total
        self._told = told
        self._done: dict[int, int] = {}
        self._best = 0.0

    def record(self, part: int, done: int) -> None:
        """Take down what another process says, from any thread."""
        self._done[part] = done

    def note(self, part: int, done: int) -> None:
        """Take down what this process has done, and tell."""
        self._done[part] = done
        self._best = max(self._best, min(1.0, sum(self._done.values()) / self._total))
        self._told(self._best)


@dataclass
class _Worker:
    """A running process and where its result will lie."""

    process: subprocess.Popen[str]
    listener: threading.Thread
    result: Path

    def arrays(self, part: int, counter: _Counter) -> dict[str, NDArray[Any]] | None:
        """Wait for the result; None where the process failed."""
        while self.listener.is_alive():
            self.listener.join(0.2)
            counter.note(-1, 0)
        if self.process.wait() != 0:
            return None
        try:
            with np.load(self.result, allow_pickle=False) as file:
                return dict(file)
        except (OSError, ValueError, KeyError):
            return None


def _observe_together(
    video: VideoReader,
    wanted: Sequence[int],
    parts: Sequence[tuple[int, int]],
    counter: _Counter,
) -> dict[str, NDArray[Any]]:
    seek = _jumps_exactly(video)
    with _workers(video.path, wanted, parts, counter, seek=seek) as workers:
        span = observe_span(video, wanted, *parts[0], None, lambda n: counter.note(0, n))
        found = [span.to_arrays()]
        for part, worker in enumerate(workers, 1):
            arrays = worker.arrays(part, counter)
            if arrays is None or not _same_frames(found[-1], arrays):
                again = observe_span(video, wanted, *parts[part], None, lambda n: None)
                arrays = again.to_arrays()
            found.append(arrays)
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


@contextlib.contextmanager
def _workers(
    path: Path,
    wanted: Sequence[int],
    parts: Sequence[tuple[int, int]],
    counter: _Counter,
    *,
    seek: bool,
) -> Iterator[list[_Worker]]:
    """Start a process for every part but the first; none outlives the block."""
    workers: list[_Worker] = []
    with tempfile.TemporaryDirectory(prefix="lifemask-") as folder:
        try:
            for part, (first, last) in enumerate(parts[1:], 1):
                job = {
                    "path": str(path.resolve()), "wanted": list(wanted),
                    "first": first, "last": last, "seek": seek,
                    "result": str(Path(folder) / f"{part}.npz"),
                }  # fmt: skip
                workers.append(_start(job, part, counter))
            yield workers
        finally:
            for worker in workers:
                worker.process.kill()
                worker.process.wait()
                worker.listener.join()


def _start(job: dict[str, Any], part: int, counter: _Counter) -> _Worker:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    process = subprocess.Popen(
        [sys.executable, *_WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )

    def listen() -> None:
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            with process.stdin:
                json.dump(job, process.stdin)
            for line in process.stdout:
                counter.record(part, int(line))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    return _Worker(process, listener, Path(job["result"]))


def _same_frames(before: dict[str, NDArray[Any]], after: dict[str, NDArray[Any]]) -> bool:
    """Whether a part saw, before its first frame, the last frames of the part before it."""
    return np.array_equal(before["prints"][-OVERLAP:], after["prints"][:OVERLAP])


def _jumps_exactly(video: VideoReader) -> bool:
    """Try at the front of the file whether a jump lands on the frame that was asked for."""
    prints = []
    for seek in (False, True):
        for number, frame in video.numbered((_PROBE,), first=_PROBE, seek=seek):
            prints.append((number, frame.time_seconds, zlib.crc32(frame.image.tobytes())))
            break
    return len(prints) == 2 and prints[0] == prints[1]


def _clip(
    video: VideoReader, wanted: Sequence[int] | None, arrays: dict[str, NDArray[Any]]
) -> Clip:
    promised = len(wanted) if wanted is not None else len(arrays["numbers"])
    short = len(arrays["numbers"]) < promised - max(2, 0.02 * promised)
    if short and not video.truncated:
        last = int(arrays["numbers"][-1]) if len(arrays["numbers"]) else 0
        warnings.warn(
            f"{video.path.name!r} ends after frame {last} of {video.frame_count}",
            TruncatedVideoWarning,
            stacklevel=4,
        )
    rest: dict[str, Any] = {name: array for name, array in arrays.items() if name != "prints"}
    return Clip(video.width, video.height, video.rate_hz, video.frame_count, short, **rest)
