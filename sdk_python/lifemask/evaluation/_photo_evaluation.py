"""Everything that is measured of one photo."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from lifemask.avatar import Avatar, build
from lifemask.evaluation._clip_pictures import ClipPictures
from lifemask.evaluation._drawing import AvatarDrawing, clip_light
from lifemask.evaluation._footage import photo_footage
from lifemask.evaluation._game import game_views, identity_views
from lifemask.evaluation._masks import MASK_VERSION
from lifemask.evaluation._measure import fit_picture, measure
from lifemask.evaluation._methods import AvatarTexture
from lifemask.evaluation._picture_metrics import difference_picture
from lifemask.evaluation._scores import Judges, Scorer
from lifemask.evaluation._session import (
    TEXTURE_SIZE,
    Clock,
    Evaluated,
    keep_numbers,
    landmark_units,
    prefixed,
)
from lifemask.evaluation._splits import Split
from lifemask.evaluation._states import tracked_states
from lifemask.tracking import select_face

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.tracking import FaceChoice

_ONE = Split("last", (0,), (0,), 1)
"""The photo is its own test: these numbers are in sample and are named so."""


def evaluate_photo(
    path: Path,
    image: NDArray[np.uint8],
    folder: Path,
    judges: Judges,
    choice: FaceChoice | None,
    progress: ProgressCallback,
) -> Evaluated:
    """Build an avatar from a photo and compare it with the same photo.

    Args:
        path: The photo.
        image: Its pixels.
        folder: Of the report.
        judges: Networks that look at pictures.
        choice: Which face is meant where there are several.
        progress: Called as `progress(stage, fraction)`.

    Raises:
        InputError: No face, several and no choice, one that is cut.
    """
    clock = Clock()
    with clock("landmarks"):
        face = select_face(judges.landmarker.detect(image), choice)
    with clock("fit"):
        fitted = fit_picture(face)
    fit = measure(path.name, "photo", fitted, {})
    footage = photo_footage(path, image, face)
    pictures = ClipPictures(footage, folder)
    package = folder / "photo.lifemask"
    with clock("build"):
        build(
            path, package, face=choice, texture_size=TEXTURE_SIZE, workers=1,
            progress=prefixed(progress, path.name),
        )  # fmt: skip
        avatar = Avatar.load(package)
    progress(f"compare {path.name}", 0.0)
    with clock("score"):
        focal = float(avatar.manifest.metrics["focal_length_px"])
        states = tracked_states(footage, avatar.head, focal)
        drawing = AvatarDrawing(avatar, footage)
        light = clip_light(drawing, footage, states, _ONE)
        scorer = Scorer(footage, _ONE.test, judges, landmark_units(avatar, states))
        method = AvatarTexture(drawing, states, light, "tracked")
        row = scorer.row(method)
    picture = method.frame(0)
    assert picture is not None
    truth, inside = footage.pictures[0], footage.masks.region(0, "face")
    views = [truth, picture, difference_picture(picture, truth, inside)]
    labels = ["photo", f"avatar {row.numbers['psnr']:.1f} dB", "difference x3"]
    pictures.sheet("photo", views, labels, "the photo the avatar was built from: in sample")
    found = Evaluated({}, fit=fit)
    with clock("identity and game"):
        neutral = states.frames[0].coefficients
        shown, names, numbers = game_views(avatar, neutral, judges)
        pictures.sheet("game", shown, names, "the photo's own expression under three lights")
        drawn, found.renders = identity_views(avatar, judges)
        pictures.sheet("identity", drawn, None, "neutral, ±30°, two lights")
    found.references = scorer.reference_embeddings()
    keep_numbers(package, avatar, [row], {"evaluation_split": "in sample"})
    found.document.update(
        name=path.name,
        kind="photo",
        status="evaluated",
        frames=1,
        lost=0,
        mask={"version": MASK_VERSION, "sha256": footage.masks.sha256},
        fit={**asdict(fit), "passed": fit.passed},
        in_sample=row.to_dict(),
        game=numbers,
        package=f"{folder.name}/{package.name}",
        pictures=pictures.written,
        seconds=clock.seconds,
    )
    return found
