"""Measure how the landmarker errs on heads whose landmarks are known.

    python tools/regression/detector.py random_face-2021.7.21.1-py3-none-any.whl

Avatars of people who do not exist (`tools/demo_portrait.py` samples their portraits; the demo
portrait is not among them) are drawn with random expressions, poses and gaze, and the landmarker
is run on the pictures. Result: `detector.npz`, which `train.py` adds to exact landmarks. Needs
`openvino` beside lifemask; takes about ten minutes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from lifemask import Avatar, LifemaskError, build, load_head_model
from lifemask.geometry import Camera, Pose, write_image
from lifemask.rendering import Renderer
from lifemask.rigging import LandmarkNormalizer
from lifemask.tracking import FaceLandmarker
from regression.expressions import draw_expressions
from regression.faces import draw_rotations, keep_apart
from regression.response import DetectorResponse, Measured, features

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

RESPONSE_PATH = Path(__file__).with_name("detector.npz")

_FIRST_SEED = 1000
_TRUNCATION = 0.6
_PEOPLE = 32
_PICTURES = 140
_SIZE = 448
_SPAN = 0.28
"""Metres that the picture shows at the head's distance."""
_CENTRE = np.array([0.0, 0.02, 0.05])
"""Point of the head, m, that the camera looks at."""


class Seen(NamedTuple):
    """Pictures of one head that the landmarker found a face in.

    Attributes:
        pixels: `(n, 478, 2)` as reported.
        true_pixels: `(n, 478, 2)` of the head's own landmarks.
        coefficients: `(n, 52)`.
        gaze: `(n, 4)` rad.
        rotations: `(n, 3, 3)`.
    """

    pixels: NDArray[np.float64]
    true_pixels: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    rotations: NDArray[np.float64]


def see(avatar: Avatar, landmarker: FaceLandmarker, count: int, rng: np.random.Generator) -> Seen:
    """Draw an avatar with random expressions and poses and run the landmarker on each picture.

    The first picture shows the head at rest, from the front.

    Args:
        avatar: Who.
        landmarker: Gives what it reports.
        count: How many pictures.
        rng: Source of chance.
    """
    coefficients, gaze = draw_expressions(count, rng)
    rotations = draw_rotations(count, rng)
    coefficients[0], gaze[0], rotations[0] = 0.0, 0.0, np.eye(3)
    renderer = Renderer(avatar.head, avatar.textures, supersampling=1)
    rows, reported, true = [], [], []
    for row in range(count):
        camera, pose = _view(rotations[row], rng)
        vertices = avatar.head.vertices(coefficients[row], gaze=gaze[row])
        grey = int(rng.integers(60, 200))
        picture = renderer.render(vertices, pose=pose, camera=camera, background=(grey, grey, grey))
        faces = landmarker.detect(picture)
        if len(faces) == 1:
            rows.append(row)
            reported.append(faces[0].pixels)
            landmarks = avatar.head.landmarks(vertices).astype(np.float64)
            true.append(camera.project(pose.apply(landmarks)))
    return Seen(
        np.array(reported, np.float64),
        np.array(true),
        coefficients[rows],
        gaze[rows],
        rotations[rows],
    )


def _view(rotation: NDArray[np.float64], rng: np.random.Generator) -> tuple[Camera, Pose]:
    distance = float(np.exp(rng.uniform(np.log(0.4), np.log(1.2))))
    camera = Camera(_SIZE, _SIZE, _SIZE * distance / _SPAN)
    return camera, Pose(rotation, np.array([0.0, 0.0, -distance]) - rotation @ _CENTRE)


def measure(seen: list[Seen], normalizer: LandmarkNormalizer) -> Measured:
    """Return the landmarker's errors on several people."""
    errors, explained, person = [], [], []
    for number, one in enumerate(seen):
        true = normalizer(one.true_pixels)
        keep_apart(true)
        errors.append(normalizer(one.pixels) - true)
        explained.append(features(one.rotations, one.coefficients, one.gaze))
        person.append(np.full(len(one.pixels), number))
    return Measured(np.concatenate(errors), np.concatenate(explained), np.concatenate(person))


def people(wheel: Path, landmarker: FaceLandmarker, count: int) -> Iterator[Avatar]:
    """Build avatars of people who do not exist and show little expression."""
    from demo_portrait import Generator

    generator, built, seed = Generator(wheel), 0, _FIRST_SEED
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "portrait.png"
        while built < count:
            seed += 1
            portrait = generator.sample(seed, _TRUNCATION)
            faces = landmarker.detect(portrait)
            if len(faces) != 1 or not _calm(faces[0].scores):
                continue
            write_image(path, portrait)
            try:
                yield build([path], texture_size=1024)
                built += 1
            except LifemaskError as error:
                print(f"portrait {seed} left out: {error}")


def _calm(scores: dict[str, float]) -> bool:
    smile = max(scores["mouthSmileLeft"], scores["mouthSmileRight"])
    return smile < 0.6 and scores["jawOpen"] < 0.1


def main() -> None:
    """Parse the command line, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="random_face-2021.7.21.1-py3-none-any.whl")
    parser.add_argument("-o", "--output", type=Path, default=RESPONSE_PATH)
    arguments = parser.parse_args()
    normalizer = LandmarkNormalizer.from_model(load_head_model().landmark_model())
    rng, seen = np.random.default_rng(_FIRST_SEED), []
    with FaceLandmarker(max_faces=1) as landmarker:
        for avatar in people(arguments.wheel, landmarker, _PEOPLE):
            seen.append(see(avatar, landmarker, _PICTURES, rng))
            print(f"{len(seen)} people, {sum(len(s.pixels) for s in seen)} pictures", flush=True)
    measured = measure(seen, normalizer)
    response = DetectorResponse.fit(measured.with_mirror_images())
    response.save(arguments.output)
    every = np.ones((len(measured.errors), 3))
    left = measured.errors - response.systematic_errors(measured.features, every)
    for name, errors in (("all", measured.errors), ("not explained", left)):
        size = 100 * np.sqrt(np.mean(errors**2))
        print(f"errors, {name}: {size:.2f} % of the inter-ocular distance per axis")


if __name__ == "__main__":
    main()
