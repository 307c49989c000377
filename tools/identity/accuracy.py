"""How much nearer to a known person a fitted head comes than the mean head does.

    python tools/identity/accuracy.py [--own 8] [--ict 6 --ict-path ict_facekit_light.npz]

Draws synthetic people with the shipped head and with ICT-FaceKit's, pictures them at rest from the
front and turned up to 60 degrees, runs the landmarker, and fits heads as `lifemask.build` does: to
one picture, to three from nearly the front, and to those and four turned ones. Prints the root mean
square over the face, millimetres: in the size of a pupil distance of 63 mm (`rigid`), with free
scale (`similarity`), and what remains of that across, up, and along the depth of the head; beside
it the same for the mean head. `--cache` keeps the landmarks from one run to the next.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from identity.compare import fitted_head
from lifemask.evaluation.synthetic import synthetic_person, synthetic_portrait
from lifemask.heads import load_head_model
from lifemask.rigging import scale_to_pupil_distance, topology_map
from lifemask.tracking import FaceLandmarker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic import SyntheticPerson
    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import FaceLandmarks

    Seen = dict[float, FaceLandmarks]

FRONT: Final = (0.0, -12.0, 12.0)
TURNED: Final = (-60.0, -36.0, 36.0, 60.0)
SETS: Final = {"one": FRONT[:1], "front": FRONT, "turned": FRONT + TURNED}
"""Yaws of the pictures that a head is fitted to, degrees."""
COLUMNS: Final = ("rigid", "similar", "across", "up", "depth")
_FIRST: Final = {"own": 401, "ict": 501}
_SIZE: Final = (576, 768)


def pictured(model: HeadModel, kind: str, number: int, landmarker: FaceLandmarker) -> Seen:
    """Return what the landmarker finds of one person, by yaw in degrees."""
    seen = {}
    for yaw, image in portrait(model, kind, number):
        faces = landmarker.detect(image)
        if len(faces) == 1:
            seen[yaw] = faces[0]
    return seen


def portrait(model: HeadModel, kind: str, number: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Draw one person at rest; yields yaws in degrees and pictures `(h, w, 3)` uint8."""
    person = _person(model, kind, number)
    for yaw in SETS["turned"]:
        turn = float(np.radians(yaw))
        yield yaw, synthetic_portrait(person.seed, person=person, yaw=turn, size=_SIZE).frame(0)


def true_head(model: HeadModel, kind: str, number: int) -> Head:
    """Return the head of a person."""
    return _person(model, kind, number, texture_size=16).head


def _person(model: HeadModel, kind: str, number: int, **options: int) -> SyntheticPerson:
    return synthetic_person(_FIRST[kind] + number, model=model, **options)


def errors(head: Head, truth: Head) -> NDArray[np.float64]:
    """Return the errors `(5,)` of `COLUMNS`, mm, of a head against the true one."""
    here, there, weight = _paired(scale_to_pupil_distance(head), truth)
    rigid = _aligned(here, there, weight, scaled=False) - there
    similar = _aligned(here, there, weight, scaled=True) - there
    return 1e3 * np.array(
        [
            *(np.sqrt(np.average(np.sum(d**2, axis=1), weights=weight)) for d in (rigid, similar)),
            *np.sqrt(np.average(similar**2, axis=0, weights=weight)),
        ]
    )


def _paired(
    head: Head, truth: Head
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the same points on both heads and their weights: those of the face."""
    weight = truth.topology.masks["face"].astype(np.float64)
    if head.topology.asset_id == truth.topology.asset_id:
        return head.neutral.astype(np.float64), truth.neutral.astype(np.float64), weight
    across = topology_map("default", "ict")
    rows = across.vertices
    return across.transfer(head.neutral), truth.neutral[rows].astype(np.float64), weight[rows]


def _aligned(
    a: NDArray[np.float64], b: NDArray[np.float64], weight: NDArray[np.float64], *, scaled: bool
) -> NDArray[np.float64]:
    """Move points onto others, weighted least squares."""
    middle = np.average(b, axis=0, weights=weight)
    a, b = a - np.average(a, axis=0, weights=weight), b - middle
    u, _, vt = np.linalg.svd((weight[:, None] * b).T @ a)
    a = a @ (u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt).T
    if scaled:
        a *= np.sum(weight[:, None] * a * b) / np.sum(weight[:, None] * a * a)
    return a + middle


def table(model: HeadModel, people: Sequence[tuple[Head, Seen]]) -> dict[str, NDArray[np.float64]]:
    """Return the errors of `errors` by set of pictures, `(people, 5)`; the mean head's too."""
    rows: dict[str, list[NDArray[np.float64]]] = {"mean head": [], **{name: [] for name in SETS}}
    for truth, seen in people:
        rows["mean head"].append(errors(model.head(), truth))
        for name, yaws in SETS.items():
            faces = [seen[yaw] for yaw in yaws if yaw in seen]
            rows[name].append(errors(fitted_head(model, faces, same_camera=True), truth))
    return {name: np.array(values) for name, values in rows.items()}


def _landmarks(
    kind: str, model: HeadModel, count: int, cache: Path | None
) -> list[tuple[Head, Seen]]:
    file = cache / f"{kind}.pkl" if cache else None
    seen: list[Seen] = []
    if file and file.exists():
        # The user's own file of an earlier run.
        seen = pickle.loads(file.read_bytes())
    with FaceLandmarker(max_faces=1) as landmarker:
        for number in range(len(seen), count):
            seen.append(pictured(model, kind, number, landmarker))
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(pickle.dumps(seen))
    heads = [true_head(model, kind, number) for number in range(count)]
    return [(head, one) for head, one in zip(heads, seen, strict=False) if 0.0 in one]


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--own", type=int, default=8, help="people with the shipped head")
    parser.add_argument("--ict", type=int, default=0, help="people with ICT-FaceKit's head")
    parser.add_argument("--ict-path", type=Path, help="ICT-FaceKit's npz file")
    parser.add_argument("--cache", type=Path, help="folder that keeps the landmarks")
    arguments = parser.parse_args()
    if arguments.ict and not arguments.ict_path:
        parser.error("--ict needs --ict-path")
    model = load_head_model()
    for kind, count in (("own", arguments.own), ("ict", arguments.ict)):
        if not count:
            continue
        drawn = model if kind == "own" else load_head_model("ict", arguments.ict_path)
        people = _landmarks(kind, drawn, count, arguments.cache)
        print(f"{len(people)} people, {kind} head (mm)\n{'':10}  " + "  ".join(COLUMNS))
        for name, values in table(model, people).items():
            cells = (f"{v:{len(c)}.2f}" for v, c in zip(values.mean(axis=0), COLUMNS, strict=True))
            print(f"{name:10}  " + "  ".join(cells), flush=True)


if __name__ == "__main__":
    main()
