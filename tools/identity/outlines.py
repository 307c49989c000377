"""What outlines of the face in turned pictures add to a head that was fitted to landmarks.

    python tools/identity/outlines.py [--own 8] [--ict 6 --ict-path ict_facekit_light.npz]

Draws the people of `accuracy.py`, fits heads to their pictures as `lifemask.build` does, with and
without `refine_shape`, and prints millimetres on the face: root mean square with the size of a
pupil distance of 63 mm (`rigid`) and with free scale (`similar`), distance of the true skin from
the fitted surface (`surface`, root mean square), and the share of `similar` in the regions. The
settings were chosen on the first half of the people; the second half confirms them. `--cache`
keeps the pictures from one run to the next.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from identity.accuracy import FRONT, SETS, errors, portrait, true_head
from lifemask.evaluation.synthetic._comparison import Comparison
from lifemask.geometry import ClosestPoints
from lifemask.heads import load_head_model
from lifemask.rigging import (
    align_to_landmarks,
    outline_pictures,
    refine_shape,
    scale_to_pupil_distance,
    topology_map,
)
from lifemask.tracking import FaceLandmarker, fit_photos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import FaceLandmarks

    Seen = dict[float, tuple[NDArray[np.uint8], FaceLandmarks]]

YAWS: Final = {
    "front": FRONT,
    "front, 36": (*FRONT, -36.0, 36.0),
    "to 60": SETS["turned"],
}
"""Yaws of the pictures that a head is fitted to, degrees."""
REGIONS: Final = ("eyes", "mouth", "sides")
COLUMNS: Final = ("rigid", "similar", "surface", *REGIONS)
_LEFT_OUT: Final = ("lips", "mouth", "eyelids", "sockets")


def heads(model: HeadModel, seen: Seen, yaws: Sequence[float]) -> tuple[Head, Head]:
    """Return the head fitted to landmarks, and the one moved onto outlines."""
    shown = [seen[yaw] for yaw in yaws if yaw in seen]
    fits = fit_photos([face for _, face in shown], model, same_camera=True)
    plain = align_to_landmarks(model.head(fits[0].identity), fits)
    images = {i: shown[i][0] for i in outline_pictures(fits)}
    return plain, refine_shape(plain, model, fits, images)[0]


def row(head: Head, truth: Head) -> NDArray[np.float64]:
    """Return the errors of `COLUMNS`, mm."""
    head = scale_to_pupil_distance(head)
    compared = Comparison.of(head, truth)
    similar = compared.neutral()["similarity"]
    plain = errors(head, truth)[:2]
    return np.array([*plain, surface(head, truth), *(similar[name].rmse for name in REGIONS)])


def surface(head: Head, truth: Head) -> float:
    """Return the distance of the true skin from a head's surface after alignment, RMS mm.

    The alignment is a similarity found by iterated closest points, so that where a vertex lies
    within the surface does not count. Lids and lips are left out: their inside has no partner.
    """
    masks = truth.topology.masks
    rows = masks["face"] > 0.5
    for name in _LEFT_OUT:
        rows &= masks[name] < 0.3
    if truth.topology.asset_id != head.topology.asset_id:
        # What lies inside the nose and behind the lids of one topology is not on the other.
        shared = np.zeros_like(rows)
        shared[topology_map("default", "ict").vertices] = True
        rows &= shared
    points = truth.neutral[rows].astype(np.float64)
    points = points[:: max(1, len(points) // 1500)]
    closest = ClosestPoints(head.neutral, head.topology.faces[head.topology.parts["skin"].faces])
    offset = truth.landmarks(truth.neutral)[:468].mean(0) - head.landmarks(head.neutral)[:468].mean(
        0
    )
    moved = points - offset
    for _ in range(30):
        found = closest(moved).points
        moved = _similar(points, found)
    return float(1e3 * np.sqrt(np.mean(np.sum((closest(moved).points - moved) ** 2, axis=1))))


def _similar(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points onto others, with free scale."""
    middle = b.mean(axis=0)
    a, b = a - a.mean(axis=0), b - middle
    u, _, vt = np.linalg.svd(b.T @ a)
    a = a @ (u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt).T
    return a * (np.sum(a * b) / np.sum(a * a)) + middle


def pictures(
    kind: str, model: HeadModel, number: int, landmarker: FaceLandmarker, cache: Path | None
) -> Seen:
    """Return pictures and landmarks of one person by yaw in degrees."""
    file = cache / f"{kind}_{number}.pkl" if cache else None
    if file and file.exists():
        # The user's own file of an earlier run.
        return pickle.loads(file.read_bytes())
    seen: Seen = {}
    for yaw, image in portrait(model, kind, number):
        faces = landmarker.detect(image)
        if len(faces) == 1:
            seen[yaw] = image, faces[0]
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(seen))
    return seen


def report(name: str, before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
    """Print the means of one set of pictures and how many people gained."""
    for label, rows in (("landmarks", before), ("outlines", after)):
        cells = "  ".join(
            f"{v:{max(5, len(c))}.2f}" for v, c in zip(rows.mean(axis=0), COLUMNS, strict=True)
        )
        print(f"  {name:10} {label:10} {cells}", flush=True)
    better = np.sum(after[:, 1:3] < before[:, 1:3] - 1e-6, axis=0)
    print(f"  {'':10} nearer: similar {better[0]}, surface {better[1]} of {len(after)} people")


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--own", type=int, default=8, help="people with the shipped head")
    parser.add_argument("--ict", type=int, default=0, help="people with ICT-FaceKit's head")
    parser.add_argument("--ict-path", type=Path, help="ICT-FaceKit's npz file")
    parser.add_argument("--cache", type=Path, help="folder that keeps the pictures")
    arguments = parser.parse_args()
    if arguments.ict and not arguments.ict_path:
        parser.error("--ict needs --ict-path")
    model = load_head_model()
    for kind, count in (("own", arguments.own), ("ict", arguments.ict)):
        if not count:
            continue
        drawn = model if kind == "own" else load_head_model("ict", arguments.ict_path)
        found: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {}
        with FaceLandmarker(max_faces=1) as landmarker:
            for number in range(count):
                seen = pictures(kind, drawn, number, landmarker, arguments.cache)
                truth = true_head(drawn, kind, number)
                for name, yaws in YAWS.items():
                    plain, refined = heads(model, seen, yaws)
                    pair = row(plain, truth), row(refined, truth)
                    found.setdefault(name, []).append(pair)
        middle = (count + 1) // 2
        for half, some in (("chosen on", range(middle)), ("confirmed on", range(middle, count))):
            if not some:
                continue
            print(f"{kind} head, {half} people {some.start} to {some.stop - 1} (mm)")
            print(f"  {'pictures':10} {'':10} {'  '.join(f'{c:>5}' for c in COLUMNS)}")
            for name, pairs in found.items():
                before, after = (np.array([pairs[i][k] for i in some]) for k in (0, 1))
                report(name, before, after)


if __name__ == "__main__":
    main()
