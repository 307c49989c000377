"""Random people whose faces are known: heads, expressions of their own, and what is seen of them.

The identity modes alone would make these people too easy to find, because the solver knows the
same modes: each head also carries a smooth field that no mode holds, and each person's expressions
differ from the generic ones in size and direction.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lifemask.capture._script_motion import SMILE, SURPRISE, VISEMES
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, JOINT_NAMES, Head, HeadModel
from lifemask.rigging import scale_to_pupil_distance
from lifemask.tracking import FaceLandmarks, gaze_coefficients
from regression.response import DetectorResponse, features

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

RESPONSE: Final = Path(__file__).resolve().parents[1] / "regression" / "detector.npz"
EXPRESSIONS: Final[Mapping[str, Mapping[str, float]]] = {
    "rest": {},
    "rest again": {},
    "smile": SMILE,
    "grin": {
        "mouthSmileLeft": 0.7, "mouthSmileRight": 0.7, "mouthUpperUpLeft": 0.3,
        "mouthUpperUpRight": 0.3, "jawOpen": 0.15, "cheekSquintLeft": 0.4,
        "cheekSquintRight": 0.4,
    },
    "open": VISEMES[0],
    "pucker": VISEMES[2],
    "surprise": {**SURPRISE, "jawOpen": 0.25},
}  # fmt: skip
"""What the pictures show besides rest."""

SIZE: Final = 640
_IDENTITY_SIGMA: Final = 0.8
_FIELDS: Final = ((0.02, 0.0010), (0.06, 0.0012))
"""Reach and standard deviation, metres, of what no identity mode holds."""
_OWN_SIZE: Final = 0.2
"""Standard deviation of the logarithm of how far each of a person's shapes goes."""
_OWN_WAY: Final = 0.15
"""Standard deviation of each entry of the smooth matrix field that turns a person's shapes."""
_CENTRE: Final = np.array([0.0, 0.02, 0.05])


@dataclass(frozen=True)
class Person:
    """A head with shapes of its own, scaled to the usual distance of the pupils."""

    head: Head
    number: int


def coefficients(name: str) -> NDArray[np.float64]:
    """Return `(52,)` of one of `EXPRESSIONS`, eyes straight ahead."""
    out = np.zeros(COEFFICIENT_COUNT)
    gaze_coefficients(np.zeros(4), out)
    for key, value in EXPRESSIONS[name].items():
        out[COEFFICIENT_INDEX[key]] = value
    return out


def draw_person(model: HeadModel, number: int) -> Person:
    """Draw one person; the same number gives the same one."""
    random = np.random.default_rng(7_000 + number)
    head = model.head(_IDENTITY_SIGMA * random.standard_normal(model.mode_count))
    points = head.neutral.astype(np.float64)
    field = sum(smooth_field(points, *scale, random) for scale in _FIELDS)
    size = np.exp(_OWN_SIZE * random.standard_normal(COEFFICIENT_COUNT))
    turn = np.eye(3) + np.stack(
        [smooth_field(points, 0.04, _OWN_WAY, random) for _ in range(3)], axis=1
    )
    deltas = size[:, None, None] * np.einsum("nij,enj->eni", turn, head.expression_deltas)
    neutral = _rigid_parts(head, points + field)
    joints = head.joints.copy()
    for joint, part in (("EyeLeft", "eye_left"), ("EyeRight", "eye_right")):
        run = head.topology.parts[part].vertices
        joints[JOINT_NAMES.index(joint)] += (neutral[run] - points[run])[0]
    own = replace(
        head,
        neutral=neutral.astype(np.float32),
        expression_deltas=deltas.astype(np.float32),
        joints=joints,
    )
    return Person(scale_to_pupil_distance(own), number)


def smooth_field(
    points: NDArray[np.float64], reach: float, sigma: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a smooth vector field `(n, 3)`: random Fourier features of a Gaussian kernel.

    Args:
        points: `(n, 3)` m.
        reach: Length scale, metres.
        sigma: Standard deviation of each component.
        random: Source of chance.
    """
    waves = random.standard_normal((3, 200)) / reach
    phases = random.uniform(0, 2 * np.pi, 200)
    return sigma * np.cos(points @ waves + phases) @ random.standard_normal((200, 3)) / 10.0


def _rigid_parts(head: Head, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Undo what would bend eyes and teeth: they move as the middle of the piece does."""
    out = points.copy()
    for name in ("teeth_upper", "teeth_lower", "tongue", "eye_left", "eye_right"):
        run = head.topology.parts[name].vertices
        out[run] = head.neutral[run] + (points[run] - head.neutral[run]).mean(axis=0)
    return out


@dataclass(frozen=True)
class Shot:
    """A picture that was taken: who, how, and where the camera stood."""

    vertices: NDArray[np.float32]
    coefficients: NDArray[np.float64]
    camera: Camera
    pose: Pose


def shoot(
    person: Person, expression: str, random: np.random.Generator, *, yaw: float | None = None
) -> Shot:
    """Point a camera at a person.

    Args:
        person: Who.
        expression: One of `EXPRESSIONS`.
        random: Source of chance: distance, pose.
        yaw: Radians; a random small one when left out.
    """
    values = coefficients(expression)
    turn = random.uniform(-0.2, 0.2) if yaw is None else yaw
    rotation = axis_angle_matrix([random.uniform(-0.12, 0.12), turn, random.uniform(-0.08, 0.08)])
    distance = float(np.exp(random.uniform(np.log(0.5), np.log(1.1))))
    camera = Camera(SIZE, SIZE, SIZE * distance / 0.3)
    pose = Pose(rotation, np.array([0.0, 0.0, -distance]) - rotation @ _CENTRE)
    return Shot(person.head.vertices(values), values, camera, pose)


class ProjectedLandmarks:
    """Landmarks of shots as the landmarker would report them, drawn from its measured errors."""

    def __init__(self) -> None:
        self._response = DetectorResponse.load(RESPONSE)

    def __call__(self, person: Person, shot: Shot, seed: int) -> FaceLandmarks:
        """Return landmarks with the person's and the picture's share of the errors."""
        at = shot.pose.apply(person.head.landmarks(shot.vertices).astype(np.float64))
        pixels = shot.camera.project(at)
        same = self._response.person_errors(1, np.random.default_rng(person.number))[0]
        one = self._response.picture_errors(1, np.random.default_rng(seed))[0]
        given = features(shot.pose.rotation[None], shot.coefficients[None], np.zeros((1, 4)))
        errors = same + one + self._response.systematic_errors(given, np.ones((1, 3)))[0]
        unit = np.linalg.norm(pixels[263] - pixels[33])
        across = (pixels[263] - pixels[33]) / unit
        turn = np.array([across, [-across[1], across[0]]])
        seen = pixels + unit * (errors * (1.0, -1.0)) @ turn
        depth = -(at[:, 2:] - at[:, 2].mean()) * shot.camera.focal / -at[:, 2].mean()
        return FaceLandmarks(np.c_[seen, depth].astype(np.float32), SIZE, SIZE)
