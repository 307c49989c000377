"""Compare generic, personal and refined shapes on frames of clips that were held out.

    python tools/rigging/held_out.py CLIP...

Identity and shapes are learnt from the training blocks of each clip (`make_split("blocks")`), and
the landmark error is measured on the others: median and 90th percentile over the frames, percent
of the inter-ocular distance, each frame solved from the one before it. The refined shapes are
shown whether or not a build would take them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from lifemask.evaluation._splits import make_split
from lifemask.geometry import open_video
from lifemask.heads import Head, load_head_model
from lifemask.rigging import TrackedClip, align_to_landmarks, personal_head, refine_from_clips
from lifemask.tracking import (
    FaceLandmarker,
    FaceLandmarks,
    FrameSolver,
    LandmarkShape,
    Performer,
    fit_performer,
    solve_clip,
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", type=Path, nargs="+")
    print(f"{'clip':<12}{'frames':>7}{'generic':>16}{'personal':>16}{'refined':>16}  taken")
    for clip in parser.parse_args().clips:
        print(_row(clip), flush=True)


def _row(path: Path) -> str:
    faces: list[FaceLandmarks | None] = []
    with FaceLandmarker() as landmarker:
        for frame in open_video(path):
            faces.append(landmarker.track(frame.image, frame.time_seconds))
    split = make_split("blocks", len(faces))
    seen = split.limited_to(np.array([face is not None for face in faces]))
    train = set(split.train)
    performer = fit_performer([face if i in train else None for i, face in enumerate(faces)])
    model = load_head_model()
    generic = align_to_landmarks(model.head(performer.identity), performer.fits)
    personal = personal_head(generic)
    shape = LandmarkShape.from_head(personal)
    solved = solve_clip(faces, Performer(shape, performer.camera))
    lost = np.full(52, np.nan)
    values = np.array([lost if one is None else one.coefficients for one in solved])
    found = refine_from_clips(personal, [TrackedClip(faces, performer.camera, values)], always=True)
    cells = [
        "{:8.3f} {:7.3f}".format(*_errors(head, performer, faces, seen.test))
        for head in (generic, personal, found.head)
    ]
    return f"{path.stem:<12}{len(seen.test):7d}" + "".join(cells) + f"  {found.accepted}"


def _errors(
    head: Head, performer: Performer, faces: list[FaceLandmarks | None], test: tuple[int, ...]
) -> tuple[float, float]:
    """Return median and 90th percentile of the landmark error on frames, percent."""
    solver, last, errors = FrameSolver(head, performer.camera), -2, []
    for number in test:
        face = faces[number]
        assert face is not None
        if number != last + 1:
            solver.reset()
        errors.append(100.0 * solver.solve(face).error_interocular)
        last = number
    return float(np.median(errors)), float(np.percentile(errors, 90))


if __name__ == "__main__":
    main()
