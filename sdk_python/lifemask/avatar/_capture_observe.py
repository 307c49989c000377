"""Looking at every frame of a clip: landmarks and scores, the same however many processes work.

The frames are divided into chunks of `CHUNK`. Each chunk has a landmarker of its own, which sees
the last `OVERLAP` frames of the chunk before to settle; what it finds depends on nothing else.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import NoFaceError
from lifemask.avatar._capture_clip import NOT_COUNTED
from lifemask.avatar._capture_scores import FrameScores, is_dark, score_frame
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.tracking import (
    FACE_POINTS,
    LANDMARK_COUNT,
    FaceLandmarker,
    nearest_face,
    select_face,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lifemask.geometry import VideoFrame, VideoReader
    from lifemask.tracking import FaceChoice, FaceLandmarks

CHUNK: Final = 200
OVERLAP: Final = 10
MOST_FRAMES: Final = 5400
"""Frames of a clip that are looked at, spread evenly: three minutes at 30 frames a second."""

_CROWD_STEP: Final = 40
"""Frames between two searches for other people."""


@dataclass
class Span:
    """Observations of consecutive frames, as lists that grow.

    Attributes:
        prints: `(number, time, checksum)` of the frames in the overlap before the span and at its
            end, by which two processes know that they mean the same frames.
    """

    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    points: list[NDArray[np.float32]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    luminance: list[float] = field(default_factory=list)
    colours: list[NDArray[np.float16]] = field(default_factory=list)
    dark: list[bool] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    prints: list[tuple[int, float, int]] = field(default_factory=list)

    def add(
        self, number: int, time: float, face: FaceLandmarks | None, scores: FrameScores | None
    ) -> None:
        """Append a frame; `others` and `dark` are appended by the caller."""
        self.numbers.append(number)
        self.times.append(time)
        if face is None or scores is None:
            self.points.append(np.full((LANDMARK_COUNT, 3), np.nan, np.float32))
            self.scores.append(np.zeros(len(COEFFICIENT_NAMES), np.float32))
            self.sharpness.append(np.nan)
            self.luminance.append(np.nan)
            self.colours.append(np.zeros((FACE_POINTS, 3), np.float16))
            return
        self.points.append(face.points)
        named = [face.scores.get(name, 0.0) for name in COEFFICIENT_NAMES]
        self.scores.append(np.array(named, np.float32))
        self.sharpness.append(scores.sharpness)
        self.luminance.append(scores.luminance)
        self.colours.append(scores.colours.astype(np.float16))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the lists as arrays by the names and types of `Clip`."""
        return {
            "numbers": np.array(self.numbers, np.int32),
            "times": np.array(self.times, np.float64),
            "points": np.array(self.points, np.float32).reshape(-1, LANDMARK_COUNT, 3),
            "scores": np.array(self.scores, np.float32).reshape(-1, len(COEFFICIENT_NAMES)),
            "sharpness": np.array(self.sharpness, np.float32),
            "luminance": np.array(self.luminance, np.float32),
            "colours": np.array(self.colours, np.float16).reshape(-1, FACE_POINTS, 3),
            "dark": np.array(self.dark, np.bool_),
            "others": np.array(self.others, np.float32),
            "prints": np.array(self.prints, np.float64).reshape(-1, 3),
        }


class _Eye:
    """A landmarker that follows the face that is meant through one chunk."""

    def __init__(self, choice: FaceChoice | None) -> None:
        self._landmarker = FaceLandmarker()
        self._choice: FaceChoice | None = choice
        self._last: FaceLandmarks | None = None

    def look(self, frame: VideoFrame) -> FaceLandmarks | None:
        if self._choice is None:
            return self._landmarker.track(frame.image, frame.time_seconds)
        faces = self._landmarker.detect(frame.image)
        if not faces:
            return None
        try:
            found = nearest_face(faces, self._last) if self._last else _chosen(faces, self._choice)
        except NoFaceError:
            return None
        self._last = found
        return found

    def size_of_others(self, image: NDArray[np.uint8], face: FaceLandmarks | None) -> float:
        """Return the size of the largest other face divided by that of this one."""
        if face is None:
            return NOT_COUNTED
        faces = self._landmarker.detect(image)
        if len(faces) < 2:
            return 0.0
        own = nearest_face(faces, face)
        return max(one.size for one in faces if one is not own) / face.size

    def close(self) -> None:
        self._landmarker.close()


class _Eyes:
    """The landmarker of the present chunk, and near its end that of the next one."""

    def __init__(self, choice: FaceChoice | None) -> None:
        self._choice: FaceChoice | None = choice
        self._chunk = -1
        self._eye: _Eye | None = None
        self._next: _Eye | None = None

    def at(self, place: int, frame: VideoFrame | None) -> _Eye:
        """Return the landmarker for a frame; let that of the next chunk settle on it."""
        chunk, inside = divmod(place, CHUNK)
        if self._choice is not None:
            chunk, inside = 0, 0  # Who is meant must be followed through the whole clip.
        if chunk != self._chunk or self._eye is None:
            if self._eye is not None:
                self._eye.close()
            self._eye, self._next, self._chunk = self._next or _Eye(self._choice), None, chunk
        if inside >= CHUNK - OVERLAP:
            self._next = self._next or _Eye(self._choice)
            if frame is not None:
                self._next.look(frame)
        return self._eye

    def close(self) -> None:
        for eye in (self._eye, self._next):
            if eye is not None:
                eye.close()


def _chosen(faces: Sequence[FaceLandmarks], choice: FaceChoice) -> FaceLandmarks:
    whole = [face for face in faces if not face.reaches_border()]
    return select_face(whole or faces, choice)


def wanted_frames(count: int, limit: Sequence[int] | None) -> list[int] | None:
    """Return the numbers of the frames to look at, ascending.

    Args:
        count: Number of frames that the header states; 0 where it does not.
        limit: The only frames that may be looked at; all where it is left out.

    Returns:
        None where every frame is to be looked at and nobody knows how many there are.
    """
    if limit is None and not count:
        return None
    numbers = list(range(count)) if limit is None else sorted(set(limit))
    return numbers[:: max(1, -(-len(numbers) // MOST_FRAMES))]


def observe_span(
    video: VideoReader,
    wanted: Sequence[int] | None,
    first: int,
    last: int | None,
    choice: FaceChoice | None,
    told: Callable[[int], None],
    *,
    seek: bool = False,
) -> Span:
    """Look at some of the wanted frames of a clip.

    Args:
        video: The clip.
        wanted: Numbers of all wanted frames; None for all there are.
        first: Place in `wanted` of the first frame, a multiple of `CHUNK`.
        last: Place behind the last one, likewise; None for the end.
        choice: Which of several faces is meant.
        told: Receives the number of frames done.
        seek: See `VideoReader.numbered`.
    """
    span, eyes = Span(), _Eyes(choice)
    try:
        for place, number, frame in _places(video, wanted, max(0, first - OVERLAP), last, seek):
            if place < first or (last is not None and place >= last - OVERLAP):
                checksum = zlib.crc32(frame.image.tobytes())
                span.prints.append((number, frame.time_seconds, checksum))
            dark = is_dark(frame.image)
            eye = eyes.at(place, None if dark else frame)
            if place >= first:
                _note(span, eye, place, number, frame, dark=dark)
                told(len(span.numbers))
    finally:
        eyes.close()
    return span


def _note(span: Span, eye: _Eye, place: int, number: int, frame: VideoFrame, *, dark: bool) -> None:
    face = None if dark else eye.look(frame)
    scores = None if face is None else score_frame(frame.image, face)
    searched = place % _CROWD_STEP == 0 and not dark
    span.add(number, frame.time_seconds, face, scores)
    span.dark.append(dark)
    span.others.append(eye.size_of_others(frame.image, face) if searched else NOT_COUNTED)


def _places(
    video: VideoReader,
    wanted: Sequence[int] | None,
    first: int,
    last: int | None,
    seek: bool,
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Yield place among the wanted frames, number in the file, and frame."""
    if wanted is None:
        yield from ((number, number, frame) for number, frame in video.numbered())
        return
    ours = wanted[first:last]
    if not ours:
        return
    place, inside = first, frozenset(ours)
    for number, frame in video.numbered(inside, first=ours[0], seek=seek):
        # A file that ends early or a jump that missed: the number decides.
        while wanted[place] != number:
            place += 1
        yield place, number, frame
        place += 1
        if number == ours[-1]:
            return
