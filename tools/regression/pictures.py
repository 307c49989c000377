"""Draw synthetic people with random expressions and run the landmarker on every picture.

    python tools/regression/pictures.py -o pictures.npz

Head, skin, light, backdrop and what covers the face are procedural (`evaluation.synthetic`,
`cover.py`); no photograph is used. Each person is first seen at rest, then in random expressions,
turns and distances. What the landmarker reports and an aligned picture of the face are kept: the
training data of `train.py` and `train_image.py`. Takes ten minutes on one core; the same seed
gives the same file.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from lifemask.evaluation.synthetic import draw_light, synthetic_person
from lifemask.geometry import Camera, Pose
from lifemask.heads import load_head_model
from lifemask.rendering import Renderer
from lifemask.rigging import LandmarkNormalizer
from lifemask.tracking import FaceLandmarker
from regression.cover import cover, develop, room
from regression.expressions import draw_expressions
from regression.faces import draw_rotations

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic import SyntheticPerson

FIRST_PERSON: Final = 20_000
"""Seed of the first person; evaluations use small seeds."""

AT_REST: Final = 3
"""How many pictures of each person, the first ones, show the face at rest."""

CROP_SIZE: Final = 160
"""Side of the stored pictures, pixels."""

CROP_MARGIN: Final = 1.25
"""How much more they show than the network's crop, so that it can be shifted and turned."""

_SIZE: Final = 224
_TEXELS: Final = 256
_SPAN: Final = (0.21, 0.32)
"""Metres that a picture shows at the head's distance."""

_CENTRE: Final = np.array([0.0, 0.015, 0.05])
"""Point of the head, m, that the camera looks at."""


@dataclass(frozen=True)
class Pictures:
    """Pictures in which the landmarker found a face.

    Attributes:
        points: `(n, 478, 3)` float32 as reported, pixels.
        true_pixels: `(n, 478, 2)` float32 of the head's own landmarks.
        coefficients: `(n, 52)` float32.
        gaze: `(n, 4)` float32 rad.
        rotations: `(n, 3, 3)` float32.
        person: `(n,)` int32.
        rest: `(n,)` bool, whether the face is at rest.
        crops: `(n, 160, 160, 3)` uint8, aligned by the landmarker's points.
    """

    points: NDArray[np.float32]
    true_pixels: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    rotations: NDArray[np.float32]
    person: NDArray[np.int32]
    rest: NDArray[np.bool_]
    crops: NDArray[np.uint8]

    @classmethod
    def load(cls, path: Path) -> Pictures:
        """Read a file that `save` wrote."""
        with np.load(path) as archive:
            return cls(**{name: archive[name] for name in archive.files})

    def save(self, path: Path) -> None:
        """Write all arrays, uncompressed."""
        np.savez(path, **asdict(self))

    def of(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> Pictures:
        """Return some of the pictures."""
        return Pictures(**{name: array[rows] for name, array in asdict(self).items()})


def photograph(
    person: SyntheticPerson,
    landmarker: FaceLandmarker,
    normalizer: LandmarkNormalizer,
    count: int,
    rng: np.random.Generator,
) -> dict[str, list[NDArray[np.generic]]]:
    """Draw one person `count` times; return what was found as lists of rows by name."""
    coefficients, gaze = draw_expressions(count, rng)
    rotations = draw_rotations(count, rng)
    for row in range(AT_REST):
        coefficients[row], gaze[row] = 0.0, 0.0
    rotations[:AT_REST] = [_near(rotation) for rotation in rotations[:AT_REST]]
    renderer = Renderer(person.head, person.textures, supersampling=2, refine=False)
    rows: dict[str, list[NDArray[np.generic]]] = {}
    for row in range(count):
        camera, pose = _view(rotations[row], rng)
        vertices = person.head.vertices(coefficients[row], gaze=gaze[row])
        outline = camera.project(pose.apply(vertices[person.head.topology.neck_loop]))
        true = camera.project(pose.apply(person.head.landmarks(vertices).astype(np.float64)))
        picture = renderer.render(
            vertices,
            pose=pose,
            camera=camera,
            light=draw_light(rng, person.look.skin),
            background=room(rng, camera, outline, float(true[152, 1])),
        )
        picture = develop(cover(picture, true, person.look, person.seed, rng), rng)
        faces = landmarker.detect(picture)
        if len(faces) != 1:
            continue
        found = {
            "points": faces[0].points.astype(np.float32),
            "true_pixels": true.astype(np.float32),
            "coefficients": coefficients[row],
            "gaze": gaze[row],
            "rotations": rotations[row].astype(np.float32),
            "rest": np.bool_(row < AT_REST),
            "crops": normalizer.crop(picture, faces[0].points, CROP_SIZE, CROP_MARGIN),
        }
        for name, value in found.items():
            rows.setdefault(name, []).append(np.asarray(value))
    return rows


def _near(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a rotation a fifth as far from the front."""
    from lifemask.geometry import axis_angle_matrix, matrix_axis_angle

    return np.asarray(axis_angle_matrix(0.2 * matrix_axis_angle(rotation)), np.float64)


def _view(rotation: NDArray[np.float64], rng: np.random.Generator) -> tuple[Camera, Pose]:
    distance = float(np.exp(rng.uniform(np.log(0.36), np.log(1.2))))
    camera = Camera(_SIZE, _SIZE, _SIZE * distance / float(rng.uniform(*_SPAN)))
    place = np.array([*rng.normal(0, 0.012, 2), -distance])
    return camera, Pose(rotation, place - rotation @ _CENTRE)


def main() -> None:
    """Parse the command line, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("pictures.npz"))
    parser.add_argument("--people", type=int, default=220)
    parser.add_argument("--first", type=int, default=FIRST_PERSON)
    parser.add_argument("--pictures", type=int, default=32, help="of each person")
    arguments = parser.parse_args()
    normalizer = LandmarkNormalizer.from_model(load_head_model().landmark_model())
    total: dict[str, list[NDArray[np.generic]]] = {}
    start = time.process_time()
    with FaceLandmarker(max_faces=1) as landmarker:
        for number in range(arguments.first, arguments.first + arguments.people):
            person = synthetic_person(number, texture_size=_TEXELS)
            rng = np.random.default_rng([number, 0x9EC])
            rows = photograph(person, landmarker, normalizer, arguments.pictures, rng)
            found = len(rows["points"])
            for name, values in rows.items():
                total.setdefault(name, []).extend(values)
            total.setdefault("person", []).extend([np.int32(number)] * found)
            if number % 10 == 9:
                spent = time.process_time() - start
                print(f"{len(total['person'])} pictures, {spent:.0f} s of CPU", flush=True)
    Pictures(**{name: np.array(values) for name, values in total.items()}).save(arguments.output)


if __name__ == "__main__":
    main()
