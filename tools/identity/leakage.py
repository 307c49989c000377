"""How much expression leaks into the identity: on people whose faces are known, and on clips.

    python tools/identity/leakage.py [--people 10] [--rendered] [--clips ../shared/data/clips]

Known people: each is fitted from one picture at rest and from one picture with an expression, and
the two neutral heads are compared with each other and with the truth. Landmarks are projected and
carry the landmarker's measured errors (`tools/regression/detector.npz`); `--rendered` draws the
people and runs the landmarker instead. Clips: the head from the calmest frames against the heads
from the frames that smile most and open the mouth most, beside the distance between people.
All distances are root mean squares over the vertices of the face, millimetres, after rigid
alignment of heads in the size of a pupil distance of 63 mm.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from identity.compare import fitted_head, median_millimetres, rms_millimetres
from identity.people import EXPRESSIONS, ProjectedLandmarks, draw_person, shoot
from lifemask.heads import load_head_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from identity.people import Person, Shot
    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import FaceLandmarks

    See = Callable[[Person, Shot, int], FaceLandmarks | None]


def known_people(model: HeadModel, see: See, count: int) -> None:
    """Print what expressions do to the neutral heads of people whose faces are known."""
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in EXPRESSIONS}
    several = []
    for number in range(count):
        person = draw_person(model, number)
        random = np.random.default_rng(number)
        seen = {
            name: see(person, shoot(person, name, random), 100 * number + k)
            for k, name in enumerate(EXPRESSIONS)
        }
        heads = {name: fitted_head(model, [face]) for name, face in seen.items() if face}
        for name, head in heads.items():
            if "rest" not in heads:
                continue
            rows[name].append(
                (
                    rms_millimetres(head, heads["rest"]),
                    rms_millimetres(head, person.head),
                    rms_millimetres(head, person.head, similarity=True),
                    median_millimetres(head, person.head),
                )
            )
        several.append(_several(model, person, see, 100 * number + 50))
    print("one picture: apart from rest | from the truth: rms, size aligned: rms, median (mm)")
    for name, values in rows.items():
        print(f"  {name:10} " + " ".join(f"{value:6.2f}" for value in np.mean(values, axis=0)))
    calm, lively, turned = np.array(several).T
    print(
        f"eight pictures, from the truth, size aligned, rms: at rest {calm.mean():.2f}, "
        f"with expressions {lively.mean():.2f}, turning at rest {turned.mean():.2f}"
    )


def _several(model: HeadModel, person: Person, see: See, seed: int) -> tuple[float, float, float]:
    random = np.random.default_rng(seed)
    lively = [name for name in EXPRESSIONS if name != "rest"]
    shots = (
        [shoot(person, "rest", random) for _ in range(8)],
        [shoot(person, name, random) for name in itertools.islice(itertools.cycle(lively), 8)],
        [shoot(person, "rest", random, yaw=yaw) for yaw in np.linspace(-0.7, 0.7, 8)],
    )
    errors = []
    for group in shots:
        faces = [see(person, shot, seed + k) for k, shot in enumerate(group)]
        head = fitted_head(model, [face for face in faces if face])
        errors.append(rms_millimetres(head, person.head, similarity=True))
    return errors[0], errors[1], errors[2]


def real_people(model: HeadModel, folder: Path) -> None:
    """Print what expressions do to the heads of people in clips."""
    from identity.footage import expressive_frames

    heads: dict[str, dict[str, Head]] = {}
    for path in sorted(folder.glob("*.mp4")):
        groups = expressive_frames(path)
        heads[path.stem] = {
            name: fitted_head(model, faces) for name, faces in groups.items() if faces
        }
    print("clips: apart from the head of the calmest frames (mm)")
    ratios = []
    between = [
        rms_millimetres(a["calm"], b["calm"]) for a, b in itertools.combinations(heads.values(), 2)
    ]
    for name, person in heads.items():
        distances = {k: rms_millimetres(h, person["calm"]) for k, h in person.items()}
        ratios += [d for k, d in distances.items() if k not in ("calm", "other calm")]
        print(f"  {name:6} " + ", ".join(f"{k} {d:.2f}" for k, d in distances.items()))
    if between:
        print(
            f"between people {np.mean(between):.2f} (least {min(between):.2f}); within, by "
            f"expression {np.mean(ratios):.2f}; ratio {np.mean(ratios) / np.mean(between):.2f}"
        )


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--rendered", action="store_true", help="the landmarker in the loop")
    parser.add_argument("--clips", type=Path, help="folder with one clip per person")
    arguments = parser.parse_args()
    model = load_head_model()
    if arguments.clips:
        real_people(model, arguments.clips)
    elif arguments.rendered:
        from identity.drawn import DrawnLandmarks

        with DrawnLandmarks() as see:
            known_people(model, see, arguments.people)
    else:
        known_people(model, ProjectedLandmarks(), arguments.people)


if __name__ == "__main__":
    main()
