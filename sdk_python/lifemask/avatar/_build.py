"""`lifemask.build`: from photos or a video to an avatar package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import InputError
from lifemask._files import check_folder
from lifemask._licenses import DATA_LICENSES, DEMO_PORTRAIT_LICENSE
from lifemask._progress import no_progress
from lifemask.avatar._avatar import Avatar
from lifemask.avatar._manifest import Consent, Manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lifemask._licenses import License
    from lifemask._progress import ProgressCallback
    from lifemask.appearance import BakedTextures
    from lifemask.avatar._evidence import Evidence
    from lifemask.heads import Head
    from lifemask.tracking import FaceChoice

TEXTURE_SIZES = (256, 512, 1024, 2048, 4096, 8192)


def build(
    inputs: Sequence[str | Path] | str | Path,
    output: str | Path | None = None,
    *,
    name: str | None = None,
    frames: Mapping[int, Sequence[int]] | None = None,
    face: FaceChoice | None = None,
    consent: Consent | None = None,
    pupil_distance: float = 0.063,
    texture_size: int = 2048,
    unpacked: bool = False,
    progress: ProgressCallback = no_progress,
) -> Avatar:
    """Build an avatar from clips and photos of one person.

    One identity is fitted to all pictures (Gauss-Newton on landmarks), the head is aligned to
    what they show, and the pictures are projected into its atlas.

    Args:
        inputs: Videos and photos of one person, in any mix.
        output: Package to write, usually `NAME.lifemask`; nothing is written when left out.
        name: Of the avatar; the first input's file name when left out.
        frames: `frames[i]` limits input i, a video, to those frame numbers (from 0); the others
            are never looked at. Inputs without an entry are used whole.
        face: Which face is meant where a photo shows several.
        consent: What the person agreed to.
        pupil_distance: Metres between the person's pupils: pictures do not show absolute size.
        texture_size: Width and height of the albedo, texels; a power of two, 256 to 8192.
        unpacked: Write a folder instead of one file.
        progress: Told which stage runs and how far it is.

    Raises:
        InputError: No input, no face, several faces and no choice, a face that is cut or too
            small, a file that is not a picture; the subclass says which.
        InputError: `frames` names an input that is no video, or frames that it does not have.
        ModelFileError: The landmarker's model is not on this machine.
        ExportError: The package cannot be written.
    """
    from lifemask.avatar._evidence import gather_evidence
    from lifemask.heads import load_head_model
    from lifemask.rendering import preview
    from lifemask.rigging import (
        align_to_landmarks,
        fit_blinks,
        regression_model_bytes,
        scale_to_pupil_distance,
    )

    paths = _paths(inputs)
    _check(output, texture_size, pupil_distance)
    _check_frames(paths, frames or {})
    model = load_head_model()
    evidence = gather_evidence(paths, model, face, progress, frames)
    head = align_to_landmarks(model.head(evidence.fits[0].identity), evidence.fits)
    baked = _bake(head, evidence, texture_size, progress)
    head = fit_blinks(scale_to_pupil_distance(head, pupil_distance))
    textures = baked.textures()
    progress("draw the preview", 0.0)
    picture = preview(head, textures)
    progress("draw the preview", 1.0)
    avatar = Avatar(
        name=name or paths[0].stem,
        head=head,
        textures=textures,
        manifest=Manifest(
            identity=tuple(float(x) for x in evidence.fits[0].identity),
            licenses=_terms(paths),
            consent=consent or Consent(),
            metrics=_metrics(evidence, baked),
        ),
        models={"blendshape_regression": regression_model_bytes()},
        preview=picture,
    )
    if output is not None:
        progress("write the package", 0.0)
        avatar.save(output, unpacked=unpacked)
        progress("write the package", 1.0)
    return avatar


def _paths(inputs: Sequence[str | Path] | str | Path) -> list[Path]:
    several = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not several:
        raise InputError("nothing to build from", hint="Give one or more photos, or a video.")
    paths = [Path(path) for path in several]
    for path in paths:
        if not path.is_file():
            raise InputError(f"there is no file {path}", hint="Check the spelling of the path.")
    return paths


def _check(output: str | Path | None, texture_size: int, pupil_distance: float) -> None:
    """Find out before the long work what would stop it at the end."""
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


def _check_frames(paths: Sequence[Path], frames: Mapping[int, Sequence[int]]) -> None:
    from lifemask.avatar._evidence import is_video

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


def _terms(paths: Sequence[Path]) -> tuple[License, ...]:
    """Return the terms of what went into the avatar; the demo portrait's only where it did."""
    used = [item for item in DATA_LICENSES if item.kind in ("data", "weights")]
    if not any(_is_demo_portrait(path) for path in paths):
        used = [item for item in used if item.name != DEMO_PORTRAIT_LICENSE]
    return tuple(used)


def _is_demo_portrait(path: Path) -> bool:
    portrait = Path(__file__).parents[1] / "data" / "portrait.jpg"
    return portrait.is_file() and path.read_bytes() == portrait.read_bytes()


def _bake(head: Head, evidence: Evidence, size: int, progress: ProgressCallback) -> BakedTextures:
    from lifemask.appearance import bake_textures

    progress("bake the textures", 0.0)
    baked = bake_textures(head, evidence.images, evidence.texture_fits, size=size)
    progress("bake the textures", 1.0)
    return baked


def _metrics(evidence: Evidence, baked: BakedTextures) -> dict[str, float | int | str | bool]:
    errors = [fit.error_interocular for fit in evidence.fits]
    return {
        "pictures": len(evidence.fits),
        "texture_pictures": len(evidence.images),
        "landmark_error_interocular_median": round(float(np.median(errors)), 5),
        "focal_length_px": round(float(evidence.fits[0].camera.focal), 1),
        **baked.metrics,
    }
