"""Synthetic portraits and clips: pictures of people who do not exist, with their truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.capture import PerformanceFrame
from lifemask.evaluation.synthetic._room import (
    Sensor,
    SensorNoise,
    draw_backdrop,
    draw_light,
)
from lifemask.evaluation.synthetic._truth import Truth
from lifemask.geometry import (
    Camera,
    Pose,
    VideoWriter,
    axis_angle_matrix,
    matrix_quaternion,
    write_image,
)
from lifemask.rendering import Light, Renderer, pose_vertices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._motion import Motion
    from lifemask.evaluation.synthetic._person import SyntheticPerson

_MIDDLE: Final = (10, 152, 234, 454)
"""Landmarks at forehead, chin and both sides: the camera looks between them."""
_FACE_HEIGHT: Final = 0.46
"""Height of the middle of the face in the picture, from the top, share."""


@dataclass(frozen=True)
class SyntheticClip:
    """Frames that are drawn when they are asked for, and their truth.

    Attributes:
        person: Who is shown.
        motion: What the person does.
        truth: Of all frames.
        light: That shines, camera frame.
        rate_hz: Frames a second.
        sensor: Faults of the camera.
        seed: Of backdrop and noise.
        rest: Pose of the head before it moves.
    """

    person: SyntheticPerson
    motion: Motion
    truth: Truth
    light: Light
    rate_hz: float
    sensor: Sensor
    seed: int
    rest: Pose

    def __len__(self) -> int:
        return len(self.truth)

    def frame(self, number: int) -> NDArray[np.uint8]:
        """Draw one frame `(height, width, 3)` uint8 sRGB."""
        vertices, _ = pose_vertices(self.person.head, _performed(self.motion, number))
        picture = self._renderer.render(
            vertices,
            pose=self.truth.pose(number),
            camera=self.truth.camera,
            light=self.light,
            background=self._backdrop,
        )
        seconds = float(self.truth.times[number])
        return self._sensor_noise(picture, number, seconds, self._smear(number))

    def frames(self, numbers: Sequence[int] | None = None) -> Iterator[NDArray[np.uint8]]:
        """Draw frames in order: all of them, or those of the given numbers."""
        for number in range(len(self)) if numbers is None else numbers:
            yield self.frame(number)

    def write(self, path: str | Path, *, truth: bool = True) -> Path:
        """Write the frames as a video, and the truth beside it as `NAME.npz`.

        Args:
            path: `.mp4` or `.webm` (lossy, as phones are), or a folder name without a suffix for
                PNG pictures.
            truth: Whether the truth is written.

        Raises:
            ExportError: A file cannot be written.
            VideoError: A suffix that names no codec.
        """
        path, camera = Path(path), self.truth.camera
        if path.suffix:
            with VideoWriter(path, camera.width, camera.height, self.rate_hz) as video:
                for picture in self.frames():
                    video.write(picture)
        else:
            path.mkdir(parents=True, exist_ok=True)
            for number, picture in enumerate(self.frames()):
                write_image(path / f"{number:05d}.png", picture)
        if truth:
            self.truth.save(path.with_suffix(".npz"))
        return path

    def _smear(self, number: int) -> NDArray[np.float64]:
        """Return how far the middle of the face moves around a frame, pixels `(2,)`."""
        near = [max(number - 1, 0), min(number + 1, len(self) - 1)]
        middle = _middle(self.person)
        first, last = (
            self.truth.camera.project(self.truth.pose(frame).apply(middle)) for frame in near
        )
        return np.asarray(last - first, np.float64)[0] / max(near[1] - near[0], 1)

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self.person.head, self.person.textures)

    @cached_property
    def _sensor_noise(self) -> SensorNoise:
        camera = self.truth.camera
        return SensorNoise(self.sensor, self.seed, (camera.height, camera.width))

    @cached_property
    def _backdrop(self) -> NDArray[np.uint8]:
        head, camera = self.person.head, self.truth.camera
        points = self.rest.apply(head.neutral.astype(np.float64))
        pixels = np.asarray(camera.project(points), np.float64)
        chin = camera.project(self.rest.apply(head.landmarks(head.neutral)[[152]]))
        rng = np.random.default_rng([self.seed, 0xBAC])
        return draw_backdrop(rng, camera, pixels[head.topology.neck_loop], float(chin[0, 1]))


def make_clip(
    person: SyntheticPerson,
    motion: Motion,
    camera: Camera,
    *,
    distance: float,
    rate_hz: float,
    sensor: Sensor,
    seed: int,
    light: Light | None = None,
    tilt: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> SyntheticClip:
    """Put a person in front of a camera and let them move.

    Args:
        person: Who.
        motion: What they do.
        camera: Of all frames.
        distance: Metres from the camera to the middle of the face.
        rate_hz: Frames a second.
        sensor: Faults of the camera.
        seed: Of light, backdrop and noise.
        light: Random when left out.
        tilt: Axis-angle of the resting head, radians.
    """
    rng = np.random.default_rng([seed, 0x11647])
    light = light or draw_light(rng, person.look.skin)
    rotation = axis_angle_matrix(tilt)
    drop = (0.5 - _FACE_HEIGHT) * camera.height * distance / camera.focal
    place = np.array([0.0, drop, -distance]) - rotation @ _middle(person)[0]
    rest = Pose(rotation, place)
    rotations, translations = [], []
    for number in range(len(motion.times)):
        _, moved = pose_vertices(person.head, _performed(motion, number))
        rotations.append(rotation @ moved.rotation)
        translations.append(rotation @ moved.translation + place + motion.sway[number])
    truth = Truth(
        head=person.head,
        identity=person.identity,
        albedo=person.textures["albedo"],
        camera=camera,
        times=motion.times,
        coefficients=motion.coefficients,
        gaze=motion.gaze,
        rotations=np.array(rotations),
        translations=np.array(translations),
        light=_light_array(light),
    )
    return SyntheticClip(person, motion, truth, light, rate_hz, sensor, seed, rest)


def _performed(motion: Motion, number: int) -> PerformanceFrame:
    yaw, pitch, roll = motion.angles[number]
    rotation = (
        axis_angle_matrix([0.0, yaw, 0.0])
        @ axis_angle_matrix([-pitch, 0.0, 0.0])
        @ axis_angle_matrix([0.0, 0.0, roll])
    )
    return PerformanceFrame(
        capture_time_nanos=round(float(motion.times[number]) * 1e9),
        coefficients=motion.coefficients[number],
        head_rotation=matrix_quaternion(rotation).astype(np.float32),
        gaze=motion.gaze[number],
    )


def _middle(person: SyntheticPerson) -> NDArray[np.float64]:
    landmarks = person.head.landmarks(person.head.neutral)[list(_MIDDLE)]
    return landmarks.astype(np.float64).mean(axis=0, keepdims=True)


def _light_array(light: Light) -> NDArray[np.float32]:
    rows = [(*lamp.direction, *lamp.color) for lamp in light.lamps]
    return np.array([*rows, (0, 0, 0, *light.sky), (0, 0, 0, *light.ground)], np.float32)
