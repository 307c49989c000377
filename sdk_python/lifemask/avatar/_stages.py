"""Running the stages of a build: what is done is kept, and what each one costs is measured."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import lifemask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.avatar._stages_cache import Cache

Result = TypeVar("Result")
Arrays = "Mapping[str, NDArray[Any]]"

_LIBRARIES = ("mediapipe", "numpy", "scipy")
_PACKAGES = ("geometry", "heads", "capture", "tracking", "rigging", "appearance", "dynamics")
_MEBI = 2.0**20


@dataclass(frozen=True)
class StageCost:
    """What one stage took.

    Attributes:
        stage: Its name.
        seconds: Wall clock.
        peak_mebibytes: Largest resident memory of this process while it ran; where the system
            cannot say (all but Linux), the largest since the process began.
        resumed: Whether the result came from the cache.
    """

    stage: str
    seconds: float
    peak_mebibytes: float
    resumed: bool


@dataclass
class Stages:
    """Runs stages one after the other.

    Args:
        progress: Told which stage runs.
        cache: Where results are kept; None for nowhere.

    Attributes:
        costs: Of the stages so far.
    """

    progress: ProgressCallback
    cache: Cache | None = None
    costs: list[StageCost] = field(default_factory=list)

    def run(self, stage: str, work: Callable[[Callable[[float], None]], Result]) -> Result:
        """Do the work of a stage that is not worth keeping.

        Args:
            stage: Shown to people.
            work: Receives a function to tell the share that is done.
        """
        return self._measured(stage, work, resumed=False)

    def kept(
        self,
        stage: str,
        place: tuple[str, str],
        work: Callable[[Callable[[float], None]], Result],
        pack: Callable[[Result], Mapping[str, NDArray[Any]]],
        unpack: Callable[[Mapping[str, NDArray[Any]]], Result],
    ) -> Result:
        """Return the kept result of a stage, or do its work and keep it.

        Args:
            stage: Shown to people.
            place: Name and key in the cache, see `fingerprint`.
            work: As for `run`.
            pack: Turns the result into arrays.
            unpack: Turns them back.

        Raises:
            CacheError: The result cannot be kept.
        """
        if self.cache is None:
            return self.run(stage, work)
        arrays = self.cache.get(*place)
        if arrays is not None:
            try:
                return self._measured(stage, lambda told: unpack(arrays), resumed=True)
            except (KeyError, ValueError, TypeError, IndexError):
                pass  # Written by something else: do it again.
        result = self._measured(stage, work, resumed=False)
        self.cache.put(*place, pack(result))
        return result

    def _measured(
        self, stage: str, work: Callable[[Callable[[float], None]], Result], *, resumed: bool
    ) -> Result:
        _restart_peak()
        started = time.perf_counter()
        self.progress(stage, 0.0)
        result = work(lambda share: self.progress(stage, share))
        self.progress(stage, 1.0)
        seconds = time.perf_counter() - started
        self.costs.append(StageCost(stage, seconds, peak_mebibytes(), resumed))
        return result


def fingerprint(**parts: object) -> str:
    """Return a key that changes whenever something changes that a result depends on.

    Args:
        parts: Whatever JSON can hold: options, hashes of inputs, keys of earlier stages. The code
            of lifemask and the versions of the libraries that compute are added.
    """
    text = json.dumps([parts, _code_hash(), _libraries()], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def _code_hash() -> str:
    """Hash the source of what computes: another version never reads this one's results."""
    root = Path(lifemask.__file__).parent
    digest = hashlib.sha256()
    modules = [path for package in _PACKAGES for path in (root / package).rglob("*.py")]
    modules += (root / "avatar").glob("_[ces]*.py")
    for path in sorted(modules):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


@functools.cache
def _libraries() -> list[str]:
    found = []
    for name in _LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(name)
    return found


def _restart_peak() -> None:
    """Let Linux forget the largest memory so far, so that a stage's own can be read."""
    if sys.platform == "linux":
        try:
            forget = Path("/proc/self/clear_refs")  # portability: Linux only
            forget.write_text("5", encoding="ascii")
        except OSError:
            return


def peak_mebibytes() -> float:
    """Return the largest resident memory since `_restart_peak`, MiB; 0 where nobody can say."""
    if sys.platform == "linux":
        status = Path("/proc/self/status")  # portability: Linux only
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024.0
    if sys.platform == "win32":
        return _windows_peak()
    import resource  # portability: macOS and other Unix only

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEBI


def _windows_peak() -> float:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = [
            ("size", wintypes.DWORD), ("faults", wintypes.DWORD), ("peak", ctypes.c_size_t),
            *((f"other{i}", ctypes.c_size_t) for i in range(7)),
        ]  # fmt: skip

    counters = Counters()
    counters.size = ctypes.sizeof(counters)
    windll = getattr(ctypes, "windll")  # noqa: B009
    process = windll.kernel32.GetCurrentProcess()
    good = windll.psapi.GetProcessMemoryInfo(
        wintypes.HANDLE(process), ctypes.byref(counters), counters.size
    )
    return counters.peak / _MEBI if good else 0.0
