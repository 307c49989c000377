"""Clips of a person who does not exist, to measure the tracker with the landmarker in the loop.

`lifemask.evaluation.synthetic` draws whole scenes; here one thing moves at a time, so that a lag
cannot be mistaken for one channel leaking into another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lifemask.evaluation.synthetic import synthetic_person
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.rendering import Renderer
from lifemask.tracking import FaceLandmarker, FaceLandmarks, gaze_coefficients

RATE = 30.0
SIZE = 384
_DISTANCE = 0.55
_SPAN = 0.27
_CENTRE = np.array([0.0, 0.02, 0.05])
_NOISE = 2.5
"""Standard deviation of the sensor's noise, of 255."""

_FLICKER = 0.02
"""Amplitude of the light's flicker, share; mains light seen at 30 frames per second."""


@dataclass
class Driven:
    """A clip's truth and what the landmarker saw.

    Attributes:
        coefficients: `(n, 52)`.
        turns: `(n, 3)` rad: pitch, yaw, roll as an axis-angle vector.
        faces: `n` landmarks.
    """

    coefficients: NDArray[np.float64]
    turns: NDArray[np.float64]
    faces: list[FaceLandmarks] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.turns)


def still(seconds: float) -> Driven:
    """Return a clip in which only sensor noise and flicker change; not yet seen."""
    count = round(seconds * RATE)
    return Driven(np.tile(_rest(), (count, 1)), np.zeros((count, 3)))


def sweep(name: str, seconds: float) -> Driven:
    """Return a clip in which one thing swings from 1 to 5 Hz; not yet seen.

    Args:
        name: `yaw`, `pitch` or `jaw`.
        seconds: Length.
    """
    clip = still(seconds)
    times = np.arange(len(clip)) / RATE
    phase = 2 * np.pi * (times + 2.0 * times**2 / seconds)
    if name == "jaw":
        clip.coefficients[:, COEFFICIENT_INDEX["jawOpen"]] = 0.25 - 0.25 * np.cos(phase)
    else:
        clip.turns[:, ("pitch", "yaw").index(name)] = np.radians(7.0) * np.sin(phase)
    return clip


def watch(clip: Driven, *, seed: int = 1, person: int = 3) -> Driven:
    """Draw every frame and let the landmarker follow; fills `faces` and returns the clip.

    Args:
        clip: What moves.
        seed: Of noise and flicker.
        person: Seed of the person.
    """
    someone, rng = synthetic_person(person), np.random.default_rng(seed)
    renderer = Renderer(someone.head, someone.textures, supersampling=2)
    camera = Camera(SIZE, SIZE, SIZE * _DISTANCE / _SPAN)
    last: tuple[bytes, NDArray[np.uint8]] | None = None
    with FaceLandmarker(max_faces=1) as landmarker:
        for index in range(len(clip)):
            values, turn = clip.coefficients[index], clip.turns[index]
            key = values.tobytes() + turn.tobytes()
            if last is None or last[0] != key:
                rotation = axis_angle_matrix(turn)
                pose = Pose(rotation, np.array([0.0, 0.0, -_DISTANCE]) - rotation @ _CENTRE)
                last = key, renderer.render(someone.head.vertices(values), pose=pose, camera=camera)
            light = 1.0 + _FLICKER * np.sin(2 * np.pi * 10.3 * index / RATE)
            noisy = last[1] * light + _NOISE * rng.standard_normal(last[1].shape)
            face = landmarker.track(np.clip(noisy, 0, 255).astype(np.uint8), index / RATE)
            if face is None:
                raise SystemExit(f"no face in frame {index}")
            clip.faces.append(face)
    return clip


def _rest() -> NDArray[np.float64]:
    values = np.zeros(COEFFICIENT_COUNT)
    gaze_coefficients(np.zeros(4), values)
    return values


FOREHEAD = np.array([10, 151, 9, 8, 109, 338, 67, 297, 108, 337, 69, 299])
"""Landmarks of the forehead that expressions hardly move."""

_SETTLED = 15
"""Frames that a filter may take to come to rest."""


def forehead_jitter(neutral: NDArray[np.floating], poses: list[Pose]) -> float:
    """Return how far the forehead of a still head moves about its mean place, mm RMS in 3-D."""
    points = np.array([pose.apply(neutral[FOREHEAD]) for pose in poses])[_SETTLED:]
    away = 1000.0 * (points - points.mean(axis=0))
    return float(np.sqrt((away**2).sum(axis=2).mean()))


def lag_frames(true: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Return by how many frames a signal comes late: the peak of the cross-correlation.

    A parabola through the peak and its neighbours gives the fraction.
    """
    shifts = np.arange(-4, 5)
    inside = slice(5, -5)
    a = true[inside] - true[inside].mean()
    scores = []
    for shift in shifts:
        b = np.roll(found, -shift)[inside]
        b = b - b.mean()
        scores.append(float(a @ b / np.sqrt((a @ a) * (b @ b))))
    peak = int(np.clip(np.argmax(scores), 1, len(shifts) - 2))
    before, at, after = scores[peak - 1 : peak + 2]
    return float(shifts[peak] + (before - after) / (2.0 * (before - 2.0 * at + after)))
