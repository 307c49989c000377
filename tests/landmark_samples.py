"""Landmarks of known heads in known poses: what a perfect landmarker would report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lifemask.capture import ImageFrame
from lifemask.geometry import Camera, Pose, axis_angle_matrix
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, LandmarkModel, load_head_model
from lifemask.tracking import FaceLandmarks, LandmarkShape, gaze_coefficients

WIDTH, HEIGHT = 960, 720


@dataclass(frozen=True)
class Truth:
    """What a sample was made from."""

    identity: np.ndarray
    coefficients: np.ndarray
    gaze: np.ndarray
    pose: Pose
    camera: Camera


def landmark_model() -> LandmarkModel:
    return load_head_model().landmark_model()


def make_pose(angles=(0.0, 0.0, 0.0), place=(0.0, 0.0, -0.8)) -> Pose:
    """Return a pose from an axis-angle vector (rad) and a translation (m)."""
    return Pose(axis_angle_matrix(angles), np.asarray(place, np.float64))


def coefficients(gaze=(0.0, 0.0, 0.0, 0.0), **values: float) -> np.ndarray:
    """Return `(52,)` with the named values and the lids that go with the gaze."""
    out = np.zeros(COEFFICIENT_COUNT)
    gaze_coefficients(gaze, out)
    for name, value in values.items():
        out[COEFFICIENT_INDEX[name]] = value
    return out


def see(truth: Truth, noise_pixels: float = 0.0, seed: int = 0) -> FaceLandmarks:
    """Project a known head; depth is relative, as MediaPipe reports it."""
    shape = LandmarkShape.from_model(landmark_model(), truth.identity)
    points = truth.pose.apply(shape.points(truth.coefficients, truth.gaze))
    pixels = truth.camera.project(points)
    scale = truth.camera.focal / -points[:, 2].mean()
    depth = -(points[:, 2:] - points[:, 2].mean()) * scale
    noise = noise_pixels * np.random.default_rng(seed).standard_normal(pixels.shape)
    data = np.concatenate([pixels + noise, depth], axis=1).astype(np.float32)
    return FaceLandmarks(data, truth.camera.width, truth.camera.height)


def random_truth(random: np.random.Generator, identity: np.ndarray | None = None) -> Truth:
    """Draw an adult with a few active coefficients in a moderate pose."""
    modes = len(landmark_model().identity)
    gaze = np.repeat(random.uniform(-0.3, 0.3, (1, 2)), 2, axis=0).ravel()
    values = coefficients(gaze)
    for name in random.choice(ACTIVE, 5, replace=False):
        values[COEFFICIENT_INDEX[name]] = random.uniform(0.2, 0.9)
    return Truth(
        random.standard_normal(modes) * 0.7 if identity is None else identity,
        values,
        gaze,
        make_pose(random.uniform(-0.3, 0.3, 3), (*random.uniform(-0.05, 0.05, 2), -0.8)),
        Camera(WIDTH, HEIGHT, 1.8 * WIDTH),
    )


ACTIVE = (
    "eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight",
    "mouthFunnel", "mouthPucker", "mouthLeft", "jawRight", "browInnerUp", "browDownLeft",
    "browDownRight", "mouthUpperUpLeft", "mouthLowerDownRight", "mouthFrownLeft", "eyeWideLeft",
)  # fmt: skip


class BlankImages:
    """Pictures that show nothing: an image source for landmarkers that do not look."""

    def __init__(self, count: int, *, live: bool = False, rate_hz: float = 30.0) -> None:
        self.name, self.rate_hz, self.live = "blank", rate_hz, live
        self.count, self.closed = count, False

    def frames(self) -> Iterator[ImageFrame]:
        blank = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for index in range(self.count):
            yield ImageFrame(blank, 1_700_000_000_000_000_000 + round(index * 1e9 / self.rate_hz))

    def close(self) -> None:
        self.closed = True


class PlayedLandmarker:
    """A landmarker that reports what it was given, one entry for each picture."""

    def __init__(self, faces: list[FaceLandmarks | None], crowd: int = 1) -> None:
        self.faces, self.crowd, self.closed = faces, crowd, False
        self.times: list[float] = []

    def detect(self, image: np.ndarray) -> list[FaceLandmarks]:
        first = next(face for face in self.faces if face is not None)
        return [first] * self.crowd

    def track(self, image: np.ndarray, time_seconds: float) -> FaceLandmarks | None:
        self.times.append(time_seconds)
        return self.faces[len(self.times) - 1]

    def close(self) -> None:
        self.closed = True
