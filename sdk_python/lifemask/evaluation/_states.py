"""What the head did in each frame: seen by the tracker, or as a server streams it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.capture import ImageFrame, PerformanceFrame, TrackingState
from lifemask.geometry import Camera, Pose
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.tracking import (
    FACE_POINTS,
    LandmarkShape,
    Performer,
    Smoothing,
    TrackedPerformance,
    solve_clip,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation._footage import Footage
    from lifemask.evaluation._splits import Split
    from lifemask.heads import Head
    from lifemask.tracking import FaceLandmarks, FrameSolution

_WARM_UP: Final = 300
"""Frames that a performance looks ahead for a performer: all of them are training frames."""

_EPOCH: Final = 1_600_000_000_000_000_000


@dataclass(frozen=True)
class HeadState:
    """One frame of a head, ready to be drawn.

    Attributes:
        coefficients: `(52,)` in [0, 1].
        gaze: `(4,)` rad.
        pose: Head frame of the avatar to camera frame.
    """

    coefficients: NDArray[np.float64]
    gaze: NDArray[np.float64]
    pose: Pose


@dataclass(frozen=True)
class States:
    """The states of a clip.

    Attributes:
        camera: Of the whole pictures.
        frames: State by frame number.
    """

    camera: Camera
    frames: Mapping[int, HeadState]

    def coefficients(self, count: int) -> NDArray[np.float64]:
        """Return `(count, 52)`, not a number where a frame has no state."""
        found = np.full((count, len(COEFFICIENT_NAMES)), np.nan)
        for index, state in self.frames.items():
            found[index] = state.coefficients
        return found


def tracked_states(footage: Footage, head: Head, focal: float) -> States:
    """Solve all frames with the avatar's own head: every frame is seen by the tracker.

    Args:
        footage: The clip.
        head: Of the avatar, personal shapes included.
        focal: Of the build's camera, pixels.
    """
    face = next(one for one in footage.faces if one is not None)
    camera = Camera(face.width, face.height, focal)
    performer = Performer(LandmarkShape.from_head(head), camera)
    solved = solve_clip(footage.faces, performer, rate_hz=footage.rate_hz)
    return States(camera, {i: _state(one) for i, one in enumerate(solved) if one is not None})


def _state(solution: FrameSolution) -> HeadState:
    return HeadState(solution.coefficients, solution.gaze, solution.pose)


@dataclass(frozen=True)
class Streamed:
    """What a server streams of a clip, whatever avatar takes it.

    Attributes:
        performer: Whose head moves in it.
        frames: Frame by number; lost ones are left out.
    """

    performer: Performer
    frames: Mapping[int, PerformanceFrame]

    def states(self, head: Head) -> States:
        """Return the states of an avatar that is driven by it.

        The coefficients reach the avatar by name. A similarity between the two resting heads, the
        same for all frames, brings the avatar to where the performer's head is.
        """
        placed = _Placed.of(head, self.performer)
        frames = {}
        for index, one in self.frames.items():
            pose = Pose.from_quaternion(one.head_rotation, one.head_translation)
            frames[index] = HeadState(
                one.coefficients.astype(np.float64), one.gaze.astype(np.float64), placed.pose(pose)
            )
        return States(self.performer.camera, frames)


def stream(footage: Footage, split: Split) -> Streamed:
    """Perform a clip as a server does for a live performer.

    A server sends the frames of a `TrackedPerformance` as they are, float32 by channel name, so
    that performance is run here, without a connection. The performer is met in the training
    frames alone, as a live performer is met before the show. Then all frames pass in order
    through the causal solver and the live smoothing. Only landmarks are looked at.

    Args:
        footage: The clip.
        split: Which frames the performer is met in.
    """
    known = [footage.faces[i] for i in split.train]
    rehearsal = [known[i % len(known)] for i in range(max(_WARM_UP, len(known)))]
    recorded = _Recorded([*rehearsal, *footage.faces], footage)
    performance = TrackedPerformance(recorded, smoothing=Smoothing(), landmarker=recorded)
    assert performance.channel_names == COEFFICIENT_NAMES
    frames = {
        number - len(rehearsal): frame
        for number, frame in enumerate(performance.frames())
        if number >= len(rehearsal) and frame.tracking_state == TrackingState.TRACKED
    }
    assert performance.performer is not None
    return Streamed(performance.performer, frames)


@dataclass(frozen=True)
class _Placed:
    """Where the avatar's resting head lies in the head frame of the performer's.

    `x_performer = scale * rotation x_avatar + shift`, the least squares over the face's
    landmarks. Drawing the avatar in its own size then means moving the camera nearer by the same
    factor, which changes no pixel.
    """

    scale: float
    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]

    @classmethod
    def of(cls, head: Head, performer: Performer) -> _Placed:
        ours = LandmarkShape.from_head(head).neutral[:FACE_POINTS]
        theirs = performer.shape.neutral[:FACE_POINTS]
        a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
        u, singular, vt = np.linalg.svd(b.T @ a)
        signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = u @ np.diag(signs) @ vt
        scale = float((singular * signs).sum() / np.square(a).sum())
        shift = theirs.mean(axis=0) - scale * rotation @ ours.mean(axis=0)
        return cls(scale, rotation, shift)

    def pose(self, performer: Pose) -> Pose:
        """Return the pose of the avatar for one of the performer's head."""
        return Pose(
            performer.rotation @ self.rotation,
            (performer.rotation @ self.shift + performer.translation) / self.scale,
        )


class _Recorded:
    """Landmarks that were found before, in the place of a video and its landmarker."""

    live = False

    def __init__(self, faces: Sequence[FaceLandmarks | None], footage: Footage) -> None:
        self.name = footage.path.stem
        self.rate_hz = footage.rate_hz
        self._faces = list(faces)
        self._next = iter(self._faces)
        known = len(faces) - footage.count
        before = np.arange(known) / footage.rate_hz
        self._times = np.concatenate([before, known / footage.rate_hz + footage.times])

    def frames(self) -> Iterator[ImageFrame]:
        """Yield a picture of nothing for each frame, at its time."""
        nothing = np.zeros((1, 1, 3), np.uint8)
        for time in self._times:
            yield ImageFrame(nothing, _EPOCH + round(time * 1e9))

    def detect(self, image: NDArray[np.uint8]) -> list[FaceLandmarks]:
        """Return one face: a file's first picture is asked whether it shows several."""
        return [next(face for face in self._faces if face is not None)]

    def track(self, image: NDArray[np.uint8], time_seconds: float) -> FaceLandmarks | None:
        """Return the landmarks of the next frame."""
        return next(self._next)

    def close(self) -> None:
        """Do nothing."""
