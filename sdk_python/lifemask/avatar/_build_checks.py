"""What is checked before a build begins, and the terms of what goes into it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifemask._errors import InputError
from lifemask._files import check_folder
from lifemask._licenses import DATA_LICENSES, DEMO_PORTRAIT_LICENSE, EVALUATION_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lifemask._licenses import License

VIDEO_SUFFIXES = frozenset({".mp4", ".webm", ".mov", ".m4v", ".avi", ".mkv"})
TEXTURE_SIZES = (256, 512, 1024, 2048, 4096, 8192)


def is_video(path: Path) -> bool:
    """Whether a file is taken for a video, by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def scan_path(scan: str | Path | None) -> Path | None:
    """Return where the scan lies, if there is one.

    Raises:
        InputError: The file is not there, or is no mesh by its suffix.
    """
    from lifemask.geometry import MESH_SUFFIXES

    if scan is None:
        return None
    path = Path(scan)
    if not path.is_file():
        raise InputError(f"there is no file {path}", hint="Check the spelling of the path.")
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise InputError(
            f"{path.name} is not a mesh file that can be read",
            hint="Give an OBJ, PLY or GLB file.",
        )
    return path


def input_paths(inputs: Sequence[str | Path] | str | Path, *, needed: bool = True) -> list[Path]:
    """Return the inputs as paths of files that exist.

    Args:
        inputs: Clips and photos.
        needed: Whether there must be one.

    Raises:
        InputError: There is none, or one is not there.
    """
    several = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not several and needed:
        raise InputError("nothing to build from", hint="Give clips or photos of one person.")
    paths = [Path(path) for path in several]
    for path in paths:
        if not path.is_file():
            raise InputError(f"there is no file {path}", hint="Check the spelling of the path.")
    return paths


def check_options(output: str | Path | None, texture_size: int, pupil_distance: float) -> None:
    """Find out before the long work what would stop it at the end.

    Raises:
        InputError: An impossible pupil distance or texture size.
        ExportError: There is no folder to write the package into.
    """
    from lifemask.rigging import PUPIL_DISTANCES

    low, high = PUPIL_DISTANCES
    if not low <= pupil_distance <= high:
        raise InputError(
            f"a pupil distance of {pupil_distance} m",
            hint=f"Give metres between {low} and {high}; adults have about 0.063.",
        )
    if texture_size not in TEXTURE_SIZES:
        raise InputError(
            f"a texture of {texture_size} texels",
            hint=f"Choose one of {', '.join(str(size) for size in TEXTURE_SIZES)}.",
        )
    if output is not None:
        check_folder(Path(output))


def check_frames(paths: Sequence[Path], frames: Mapping[int, Sequence[int]]) -> None:
    """Check which frames of which input are named.

    Raises:
        InputError: An input that is no video, no frame at all, or a negative one.
    """
    for number, limit in frames.items():
        if not 0 <= number < len(paths) or not is_video(paths[number]):
            raise InputError(
                f"frames are named of input {number}, which is no video",
                hint="Count the inputs from 0; photos have no frames.",
            )
        if not limit or min(limit) < 0:
            raise InputError(
                f"{paths[number].name}: no frame, or a negative one, is named",
                hint="Name at least one frame, counted from 0.",
            )


def used_terms(paths: Sequence[Path]) -> tuple[License, ...]:
    """Return the terms of what went into the avatar; the demo portrait's only where it did."""
    used = [item for item in DATA_LICENSES if item.kind in ("data", "weights")]
    used = [item for item in used if item.name not in EVALUATION_WEIGHTS]
    if not any(_is_demo_portrait(path) for path in paths):
        used = [item for item in used if item.name != DEMO_PORTRAIT_LICENSE]
    return tuple(used)


def _is_demo_portrait(path: Path) -> bool:
    portrait = Path(__file__).parents[1] / "data" / "portrait.jpg"
    return portrait.is_file() and path.read_bytes() == portrait.read_bytes()
