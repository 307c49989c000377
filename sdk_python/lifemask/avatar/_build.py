"""`lifemask.build`: from clips and photos of a person to an avatar package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifemask._progress import no_progress
from lifemask.avatar._avatar import Avatar
from lifemask.avatar._build_checks import (
    check_frames,
    check_options,
    input_paths,
    is_video,
    scan_path,
    used_terms,
)
from lifemask.avatar._manifest import Consent, Manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lifemask._progress import ProgressCallback
    from lifemask.avatar._build_report import BuildReport
    from lifemask.avatar._stage_records import Job
    from lifemask.avatar._stages import Stages
    from lifemask.tracking import FaceChoice


def build(
    inputs: Sequence[str | Path] | str | Path,
    output: str | Path | None = None,
    *,
    scan: str | Path | None = None,
    name: str | None = None,
    frames: Mapping[int, Sequence[int]] | None = None,
    face: FaceChoice | None = None,
    consent: Consent | None = None,
    pupil_distance: float = 0.063,
    texture_size: int = 2048,
    unpacked: bool = False,
    workers: int | None = None,
    network: bool = False,
    report: str | Path | None = None,
    summary: Callable[[BuildReport], None] | None = None,
    progress: ProgressCallback = no_progress,
) -> Avatar:
    """Build an avatar from clips and photos of one person.

    Every frame of the clips is looked at and judged; frames that tell the shape and frames that
    show the skin are chosen. One identity is fitted to them and to the photos (Gauss-Newton on
    landmarks), the head is aligned to what they show, all frames are tracked, and the pictures are
    projected into its atlas.

    A build with clips keeps the result of each stage in the user's cache (see
    `lifemask.forget`) and goes on from there when it runs again: after Ctrl-C, after an error,
    or with other options. The same inputs give the same bytes, however often it was stopped and
    however many processes work.

    Args:
        inputs: Videos and photos of one person, in any mix; may be empty with a scan.
        output: Package to write, usually `NAME.lifemask`; nothing is written when left out.
        scan: A mesh of the person's head (OBJ, PLY or GLB) in any unit and orientation. It tells
            the shape and the size; clips and photos then tell only how the skin looks. Without
            them the scan's colours do, or a plain skin, which the manifest says.
        name: Of the avatar; the first input's file name when left out.
        frames: `frames[i]` limits input i, a video, to those frame numbers (from 0); the others
            are never looked at. Inputs without an entry are used whole.
        face: Which face is meant where a photo shows several.
        consent: What the person agreed to.
        pupil_distance: Metres between the person's pupils: pictures do not show absolute size. A
            scan does, unless its size is that of no head.
        texture_size: Width and height of the albedo, texels; a power of two, 256 to 8192.
        unpacked: Write a folder instead of one file.
        workers: Processes that look at long clips; as many as there are cores when left out.
        network: Train a texture network on the clips, which takes minutes and needs torch; what
            changes with the expression is then drawn best. Without it plainer dynamic textures
            are fitted in seconds, and photos alone get folds and shadows that any face has.
        report: Folder for the capture report: `capture.html`, `capture.png`, `capture.json`. It
            shows faces. With them `shapes.png`, a picture of all 52 shapes.
        summary: Receives what was observed, chosen and spent, once the avatar is built.
        progress: Told which stage runs and how far it is.

    Raises:
        InputError: No input, no face, several faces and no choice, a face that is cut or too
            small, different people, a file that is not a picture; the subclass says which. Where a
            clip is refused, the hint names a picture of the frame.
        MissingExtraError: A network is asked for and torch is not installed.
        CacheError: A result cannot be kept, as when the disk is full.
        ModelFileError: The landmarker's model is not on this machine.
        ExportError: The package cannot be written.
    """
    from lifemask.avatar._stage_records import Job
    from lifemask.avatar._stages import Stages
    from lifemask.avatar._stages_cache import Cache, remove_old

    shape = scan_path(scan)
    paths = input_paths(inputs, needed=shape is None)
    check_options(output, texture_size, pupil_distance)
    check_frames(paths, frames or {})
    name = name or (paths[0] if paths else Path(shape or "")).stem
    remove_old()
    stages = Stages(progress, Cache(name) if any(map(is_video, paths)) else None)
    job = Job(paths, frames or {}, face, texture_size, workers, shape, network)
    avatar, done = _made(job, stages, name, consent or Consent(), pupil_distance, report)
    if output is not None:
        stages.run("write the package", lambda told: avatar.save(output, unpacked=unpacked))
    if report is not None:
        _draw_shapes(avatar, stages, Path(report))
    if report is not None or summary is not None:
        done = done.finished(stages)
    if report is not None:
        done.write(Path(report))
    if summary is not None:
        summary(done)
    return avatar


def _made(
    job: Job,
    stages: Stages,
    name: str,
    consent: Consent,
    pupil_distance: float,
    report: str | Path | None,
) -> tuple[Avatar, BuildReport]:
    """Run the stages from the inputs to the avatar in memory."""
    from lifemask.avatar._build_report import BuildReport
    from lifemask.avatar._build_stages import Build
    from lifemask.avatar._capture_report import write_capture_report
    from lifemask.heads import load_head_model
    from lifemask.rendering import preview
    from lifemask.rigging import scale_between, scale_to_pupil_distance

    build = Build(job, stages, load_head_model())
    sources = build.choose(build.observe())
    stages.run("write the report", lambda told: write_capture_report(report, sources))
    if job.scan is None:
        person = build.identify(sources)
    else:
        sources, person = build.identify_scan(job.scan, sources)
    person, tracks = build.track_and_refine(sources, person)
    baked = build.bake(sources, person)
    fitted = build.hair(sources, person) if job.paths else None
    sized = person.scan is not None and person.scan.unit != "unknown"
    head = person.head if sized else scale_to_pupil_distance(person.head, pupil_distance)
    textures, hair = baked.textures(), None
    if fitted is not None:
        textures["hair"] = fitted.texture
        hair = fitted.cap.scaled(scale_between(person.head, head))
    learnt = build.learn(sources, person, tracks, head, textures["albedo"])
    picture = stages.run("draw the preview", lambda told: preview(head, textures, hair=hair))
    done = BuildReport.of(sources, person, tracks, baked, stages)
    manifest = Manifest(
        identity=tuple(float(x) for x in person.fits[0].identity),
        licenses=used_terms(job.paths),
        consent=consent,
        metrics={**done.metrics, **learnt.metrics},
    )
    avatar = Avatar(
        name=name,
        head=head,
        textures=textures,
        manifest=manifest,
        models={"blendshape_regression": build.regressor(sources, tracks)},
        preview=picture,
        hair=hair,
        dynamics=learnt.dynamics,
    )
    return avatar, done


def _draw_shapes(avatar: Avatar, stages: Stages, folder: Path) -> None:
    from lifemask.geometry import write_image
    from lifemask.rendering import shape_grid

    grid = stages.run("draw the shapes", lambda told: shape_grid(avatar.head, avatar.textures))
    write_image(folder / "shapes.png", grid)
