"""Everything that is measured of one clip."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.avatar import Avatar, build
from lifemask.evaluation._clip_pictures import ClipPictures
from lifemask.evaluation._closure import score_closure
from lifemask.evaluation._drawing import AvatarDrawing, clip_light
from lifemask.evaluation._footage import Footage, read_footage
from lifemask.evaluation._game import game_views, identity_views
from lifemask.evaluation._masks import MASK_VERSION
from lifemask.evaluation._measure import fit_frames, measure
from lifemask.evaluation._methods import ONE_PHOTO, AvatarTexture, Copy, MeanFrame, Method
from lifemask.evaluation._scores import Judges, Row, Scorer
from lifemask.evaluation._session import (
    TEXTURE_SIZE,
    Clock,
    Evaluated,
    keep_numbers,
    landmark_units,
    prefixed,
)
from lifemask.evaluation._splits import Split, SplitName, coverage, make_split
from lifemask.evaluation._states import States, Streamed, stream, tracked_states
from lifemask.evaluation._temporal import (
    agreement,
    forehead_jitter,
    still_runs,
    texture_unrest,
    unrest,
    weight_jerk,
)
from lifemask.tracking import LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.appearance import ClipLight


@dataclass(frozen=True)
class _Session:
    """What all splits of a clip share."""

    footage: Footage
    judges: Judges
    pictures: ClipPictures
    clock: Clock
    progress: ProgressCallback
    marks: Path | None
    network: bool
    videos: bool


def evaluate_clip(
    path: Path,
    folder: Path,
    splits: Sequence[SplitName],
    marks: Path | None,
    judges: Judges,
    progress: ProgressCallback,
    *,
    network: bool = False,
    videos: bool = False,
) -> Evaluated:
    """Measure a clip on frames that were held back.

    Args:
        path: The video.
        folder: Of the report; pictures and packages are written into it.
        splits: Which.
        marks: Folder with marks of blinks and lip closure.
        judges: Networks that look at pictures.
        progress: Called as `progress(stage, fraction)`.
        network: Whether a texture network is trained for each split.
        videos: Whether the test frames are written side by side.

    Raises:
        InputError: No face, too short, not a video.
    """
    clock = Clock()
    with clock("landmarks"):
        footage = read_footage(path, progress)
    parts = [make_split(name, footage.count).limited_to(footage.usable) for name in splits]
    pictures = ClipPictures(footage, folder)
    session = _Session(footage, judges, pictures, clock, progress, marks, network, videos)
    progress(f"fit {path.name}", 0.0)
    with clock("fit"):
        fitted = fit_frames(footage.faces)
    fit = measure(path.name, "video", fitted, {})
    session.pictures.fit(fitted)
    document = {
        "name": path.name,
        "kind": "video",
        "status": "evaluated",
        "frames": footage.count,
        "lost": sum(face is None for face in footage.faces),
        "rate_hz": round(footage.rate_hz, 3),
        "mask": {
            "version": MASK_VERSION,
            "sha256": footage.masks.sha256,
            "share_of_cut_picture": round(footage.masks.share(range(footage.count)), 4),
        },
        "fit": {**asdict(fit), "passed": fit.passed},
        "splits": {},
    }
    session.pictures.masks(parts)
    found = Evaluated(document, fit=fit)
    for split in parts:
        last = split.name == parts[-1].name
        document["splits"][split.name] = _evaluate_split(session, split, found, last=last)
    document["pictures"] = session.pictures.written
    document["seconds"] = clock.seconds
    return found


def _evaluate_split(
    session: _Session, split: Split, found: Evaluated, *, last: bool
) -> dict[str, Any]:
    footage, clock, name = session.footage, session.clock, session.footage.path.name
    package = session.pictures.folder / f"{split.name}.lifemask"
    with clock("build"):
        build(
            footage.path,
            package,
            frames={0: split.train},
            texture_size=TEXTURE_SIZE,
            workers=1,
            network=session.network,
            progress=prefixed(session.progress, f"{name}, {split.name}"),
        )
        avatar = Avatar.load(package)
    session.progress(f"track {name}, {split.name}", 0.0)
    with clock("track"):
        focal = float(avatar.manifest.metrics["focal_length_px"])
        tracked = tracked_states(footage, avatar.head, focal)
        streamed = stream(footage, split)
        driven = streamed.states(avatar.head)
    units = landmark_units(avatar, tracked)
    test = [i for i in split.test if i in tracked.frames]
    with clock("light"):
        drawing = AvatarDrawing(avatar, footage)
        light = clip_light(drawing, footage, tracked, split)
    scorer = Scorer(footage, test, session.judges, units)
    methods: list[Method] = [MeanFrame(footage, split), Copy(footage, split)]
    for mode, states in (("tracked", tracked), ("driven", driven)):
        methods += _textures(drawing, states, light, mode)
    if last:
        methods += _one_photo(session, split, streamed)
    rows = [_scored(session, split, scorer, method) for method in methods]
    session.pictures.rows(split, methods, rows)
    if session.videos:
        session.pictures.video(split, methods)
    document = _split_document(session, split, avatar, tracked, driven, units)
    document["exposure_drift"] = round(float(np.ptp(light.gains)), 4)
    document["rows"] = [row.to_dict() for row in rows]
    document["psnr_by_frame"] = {
        row.title: [[i, round(value, 2)] for i, value in row.psnr_by_frame]
        for row in rows
        if row.mode == "driven" and not row.gain and not row.method.startswith(ONE_PHOTO)
    }
    if last:
        modes = {"tracked": tracked, "driven": driven}
        stem, count = footage.path.stem, footage.count
        closure = score_closure(session.marks, stem, count, avatar.head, modes)
        if closure is not None:
            found.document["closure"] = closure
        with clock("identity and game"):
            _other_views(session, avatar, tracked, split, scorer, found)
    about = {
        "evaluation_split": split.name,
        "evaluation_mask_sha256": footage.masks.sha256,
        "evaluation_test_frames": len(test),
        "evaluation_landmarks_percent": document["held_out_landmarks_percent"],
    }
    keep_numbers(package, avatar, [r for r in rows if not r.method.startswith(ONE_PHOTO)], about)
    document["package"] = f"{package.parent.name}/{package.name}"
    return document


def _split_document(
    session: _Session,
    split: Split,
    avatar: Avatar,
    tracked: States,
    driven: States,
    units: dict[int, float],
) -> dict[str, Any]:
    """Return what is known of a split besides its rows."""
    footage = session.footage
    test = [i for i in split.test if i in tracked.frames]
    return {
        "train": len(split.train),
        "test": len(test),
        "test_frames": _ranges(split.test),
        "train_frames": _ranges(split.train),
        "coverage": {
            k: round(v, 4)
            for k, v in asdict(
                coverage(
                    tracked.coefficients(footage.count),
                    split.limited_to(_solved(tracked, footage.count)),
                )
            ).items()
        },
        "held_out_landmarks_percent": _held_out_error(avatar, tracked, footage, test, units),
        "temporal": _temporal(session, avatar, tracked, driven),
        "agreement": {
            mode: agreement(states.coefficients(footage.count), footage.faces)
            for mode, states in (("tracked", tracked), ("driven", driven))
        },
    }


def _one_photo(session: _Session, split: Split, streamed: Streamed) -> list[Method]:
    """Return an avatar that was built from the calmest training frame alone, and lit by it."""
    footage = session.footage
    calmest = min(split.train, key=lambda i: unrest(footage.faces[i]))
    alone = Split(split.name, (calmest,), split.test, split.count)
    with session.clock("build"):
        avatar = build(
            footage.path, frames={0: [calmest]}, texture_size=TEXTURE_SIZE, workers=1,
            progress=prefixed(session.progress, f"{footage.path.name}, one photo"),
        )  # fmt: skip
    with session.clock("track"):
        focal = float(avatar.manifest.metrics["focal_length_px"])
        tracked = tracked_states(footage, avatar.head, focal)
        driven = streamed.states(avatar.head)
    drawing = AvatarDrawing(avatar, footage)
    light = clip_light(drawing, footage, tracked, alone)
    return [
        AvatarTexture(drawing, states, light, mode, kind=kind, of=ONE_PHOTO)
        for mode, states in (("tracked", tracked), ("driven", driven))
        for kind in (None, *drawing.kinds)
    ]


def _textures(
    drawing: AvatarDrawing, states: States, light: ClipLight, mode: str
) -> Iterator[Method]:
    """Yield the rows of an avatar: without, with the exposure's drift, with each dynamic one."""
    yield AvatarTexture(drawing, states, light, mode)
    yield AvatarTexture(drawing, states, light, mode, gain=True)
    for kind in drawing.kinds:
        yield AvatarTexture(drawing, states, light, mode, kind=kind)


def _scored(session: _Session, split: Split, scorer: Scorer, method: Method) -> Row:
    stage = f"{session.footage.path.name}, {split.name}: {method.name} {method.mode}".rstrip()
    stage += " with gain" if method.gain else ""
    with session.clock("score"):
        return scorer.row(
            method,
            look=method.mode != "",
            quick=method.gain,
            tick=lambda share: session.progress(stage, share),
        )


def _solved(states: States, count: int) -> NDArray[np.bool_]:
    return np.array([i in states.frames for i in range(count)])


def _held_out_error(
    avatar: Avatar,
    states: States,
    footage: Footage,
    test: Sequence[int],
    units: dict[int, float],
) -> float:
    """Return the median landmark error of the avatar's own head on test frames, percent."""
    shape = LandmarkShape.from_head(avatar.head)
    camera = footage.camera(states.camera)
    errors = []
    for index in test:
        state = states.frames[index]
        points = camera.project(state.pose.apply(shape.points(state.coefficients)))
        far = np.linalg.norm(points - footage.pixels(index), axis=1)[:468]
        errors.append(100.0 * float(far.mean()) / units[index])
    return round(float(np.median(errors)), 4)


def _temporal(session: _Session, avatar: Avatar, tracked: States, driven: States) -> dict[str, Any]:
    footage = session.footage
    runs = still_runs(footage)
    with session.clock("temporal"):
        document: dict[str, Any] = {"still_frames": sum(len(run) for run in runs)}
        for mode, states in (("tracked", tracked), ("driven", driven)):
            numbers = forehead_jitter(avatar.head, states, runs)
            numbers["weight_jerk"] = weight_jerk(states.coefficients(footage.count))
            document[mode] = {name: round(value, 5) for name, value in numbers.items()}
        change = texture_unrest(footage, avatar.head, tracked, runs)
        document["texture_unrest"] = None if change is None else round(change, 3)
    return document


def _other_views(
    session: _Session,
    avatar: Avatar,
    tracked: States,
    split: Split,
    scorer: Scorer,
    found: Evaluated,
) -> None:
    """Draw the avatar in other lights and from other sides."""
    session.progress(f"{session.footage.path.name}: other lights and sides", 0.0)
    lively = max(
        (i for i in split.train if i in tracked.frames),
        key=lambda i: float(np.linalg.norm(tracked.frames[i].coefficients)),
    )
    state = tracked.frames[lively]
    views, labels, numbers = game_views(avatar, state.coefficients, session.judges, state.gaze)
    session.pictures.sheet("game", views, labels, f"the expression of frame {lively}, frozen")
    pictures, found.renders = identity_views(avatar, session.judges)
    session.pictures.sheet(
        "identity", pictures, None, "neutral, ±30°, two lights: compared with all people at hand"
    )
    found.references = scorer.reference_embeddings()
    found.document["game"] = {"frame": lively, **numbers}


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """Return runs of consecutive numbers as `[first, last]`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs
