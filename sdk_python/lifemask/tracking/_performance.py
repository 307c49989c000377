"""A performance tracked from pictures: the landmarker and the solver as one source."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from lifemask._errors import NoFaceError, SeveralFacesError
from lifemask.capture import PerformanceFrame, TrackingState
from lifemask.geometry import Camera
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_NAMES, Head
from lifemask.tracking._faces import measured_channels, nearest_face, select_face
from lifemask.tracking._frame_solver import FrameSolver
from lifemask.tracking._landmarker import FaceLandmarker
from lifemask.tracking._one_euro import PerformanceSmoother, Smoothing
from lifemask.tracking._performer import Performer, fit_performer
from lifemask.tracking._rest import shape_at_rest
from lifemask.tracking._settings import SolveSettings
from lifemask.tracking._shape import LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lifemask.capture import ImageFrame, ImageSource
    from lifemask.tracking._calibration import Calibration
    from lifemask.tracking._faces import FaceChoice, FaceLandmarks, Landmarker

_FILE_LEAD = 300
"""Frames with a face that a file is looked ahead for, to get to know the performer."""

_LIVE_REFITS = (20, 60, 150)
"""Numbers of frames with a face after which a live performer is fitted anew."""

_LIVE_MEMORY = 150
_LIVE_KEY_FRAMES = 12
_REST_DISTANCE = 0.6
"""Metres from the camera at which a head stands that has not been seen yet."""


class SecondOpinion(Protocol):
    """Another judgement of the expression, which is mixed into the solver's."""

    @property
    def shares(self) -> NDArray[np.floating]:
        """`(52,)` in [0, 1]: its weight in each coefficient."""
        ...

    def __call__(self, image: NDArray[np.uint8], face: FaceLandmarks) -> NDArray[np.floating]:
        """Return coefficients `(52,)` in [0, 1] of a face in a picture `(h, w, 3)`."""
        ...


class _Seen(NamedTuple):
    """One picture's landmarks, and the second opinion where one was asked for."""

    capture_time_nanos: int
    face: FaceLandmarks | None
    opinion: NDArray[np.floating] | None = None


class TrackedPerformance:
    """Tracks the face in pictures; implements `PerformanceSource`.

    The performer is often not the person the avatar shows: unless `head` says who performs, the
    performer's own identity is fitted from the first frames, so that the coefficients tell the
    expression alone, and avatars take them by name. A file is looked ahead; a camera starts
    with what its first good frame says and is fitted again in the background.

    Frames without a face hold the last values in the state `LOST`.

    Args:
        images: Photo, video file or camera; closed with the performance.
        head: The performer's head, with personal shapes if there are any.
        camera: Of the pictures; only with `head`. Its focal length is guessed when left out.
        smoothing: Cutoffs of the 1 Euro filter. Left out, live sources are smoothed by the
            defaults and files not at all.
        face: Which face is meant where there are several.
        landmarker: Another one than MediaPipe's; closed with the performance.
        settings: Weights of the solver.
        calibration: The performer's gains and offsets.
        second: Another judgement of the expression, see `lifemask.rigging.LiveRegression`.

    Attributes:
        name: Subject name, that of the pictures.
        rate_hz: Nominal frame rate.
        channel_names: `COEFFICIENT_NAMES`.
        channel_validity: `(52,)` bool, false for `tongueOut`.
        smoothing: What is applied; None for nothing.
        live: Whether frames arrive in real time by themselves.

    Raises:
        ModelFileError: The landmarker's model was not found.
    """

    def __init__(
        self,
        images: ImageSource,
        head: Head | None = None,
        camera: Camera | None = None,
        *,
        smoothing: Smoothing | None = None,
        face: FaceChoice | None = None,
        landmarker: Landmarker | None = None,
        settings: SolveSettings | None = None,
        calibration: Calibration | None = None,
        second: SecondOpinion | None = None,
    ) -> None:
        self.name = images.name
        self.rate_hz = images.rate_hz
        self.channel_names = COEFFICIENT_NAMES
        self.channel_validity = measured_channels()
        self.live = bool(getattr(images, "live", False))
        self._images = images
        self._head = head
        self._camera = camera
        self.smoothing = Smoothing() if smoothing is None and self.live else smoothing
        self._choice: FaceChoice | None = face
        self._landmarker = landmarker or FaceLandmarker()
        self._settings = settings or SolveSettings()
        self._calibration = calibration
        self._second = second
        self._performer: Performer | None = None

    @property
    def performer(self) -> Performer | None:
        """Who was seen; None before the first frame."""
        return self._performer

    def frames(self) -> Iterator[PerformanceFrame]:
        """Yield the tracked frames in order of capture time.

        Raises:
            NoFaceError: A file shows no face at all.
            SeveralFacesError: The first picture of a file shows several faces and nothing says
                which one is meant.
        """
        smoother = PerformanceSmoother(self.smoothing) if self.smoothing else None
        tracked = self._live_frames() if self.live else self._file_frames()
        for frame in tracked:
            yield smoother(frame) if smoother else frame

    def close(self) -> None:
        """Release pictures and landmarker; safe to call twice."""
        self._images.close()
        self._landmarker.close()

    def _file_frames(self) -> Iterator[PerformanceFrame]:
        seen = self._seen()
        lead: list[_Seen] = []
        faces = 0
        while faces < _FILE_LEAD and (one := next(seen, None)) is not None:
            lead.append(one)
            faces += one.face is not None
        if not faces:
            raise NoFaceError(
                f"{self.name} shows no face",
                hint="use a recording of one sharp, evenly lit face that looks at the camera",
            )
        self._meet([one.face for one in lead])
        yield from self._solved(_chain(lead, seen))

    def _live_frames(self) -> Iterator[PerformanceFrame]:
        recent: deque[FaceLandmarks] = deque(maxlen=_LIVE_MEMORY)
        refit: Future[Performer] | None = None
        solver, last, count = None, None, 0
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="lifemask-fit") as pool:
            for one in self._seen():
                if one.face is not None and not one.face.reaches_border():
                    recent.append(one.face)
                    count += 1
                if solver is None and recent:
                    solver = self._meet([recent[-1]])
                elif self._head is None and refit is None and count in _LIVE_REFITS:
                    refit = pool.submit(self._refit, list(recent))
                if refit is not None and refit.done():
                    self._performer, refit = refit.result(), None
                    solver = self._solver(self._performer)
                last = self._frame(one, solver, last)
                yield last

    def _solved(self, seen: Iterator[_Seen]) -> Iterator[PerformanceFrame]:
        assert self._performer is not None
        solver, last = self._solver(self._performer), None
        for one in seen:
            last = self._frame(one, solver, last)
            yield last

    def _frame(
        self, one: _Seen, solver: FrameSolver | None, last: PerformanceFrame | None
    ) -> PerformanceFrame:
        frame = _frame(one, solver, last, self._calibration)
        if one.opinion is None or self._second is None or solver is None:
            return frame
        mixed = frame.coefficients + self._second.shares * (one.opinion - frame.coefficients)
        return replace(frame, coefficients=mixed.astype(np.float32))

    def _meet(self, faces: list[FaceLandmarks | None]) -> FrameSolver:
        if self._performer is None:
            self._performer = self._known(faces) if self._head else self._fitted(faces)
        return self._solver(self._performer)

    def _known(self, faces: list[FaceLandmarks | None]) -> Performer:
        assert self._head is not None
        shape = LandmarkShape.from_head(self._head)
        camera = self._camera
        if camera is None:
            face = next(one for one in faces if one is not None)
            focal = self._settings.focal_guess * max(face.width, face.height)
            camera = Camera(face.width, face.height, focal)
        return Performer(shape_at_rest(faces, shape, camera, self._settings), camera)

    def _fitted(self, faces: list[FaceLandmarks | None]) -> Performer:
        return fit_performer(faces, settings=self._settings)

    def _refit(self, faces: list[FaceLandmarks]) -> Performer:
        return fit_performer(faces, settings=self._settings, key_frames=_LIVE_KEY_FRAMES)

    def _solver(self, performer: Performer) -> FrameSolver:
        return FrameSolver(performer.shape, performer.camera, settings=self._settings)

    def _seen(self) -> Iterator[_Seen]:
        start: int | None = None
        last: FaceLandmarks | None = None
        for frame in self._images.frames():
            if start is None:
                start = frame.capture_time_nanos
                self._refuse_crowd(frame)
            face = self._look(frame, (frame.capture_time_nanos - start) / 1e9, last)
            last = face or last
            opinion = None
            if face is not None and self._second is not None:
                opinion = self._second(frame.image, face)
            yield _Seen(frame.capture_time_nanos, face, opinion)

    def _refuse_crowd(self, frame: ImageFrame) -> None:
        """Demand a choice where a file begins with several faces; a camera takes one."""
        if self.live or self._choice is not None:
            return
        faces = self._landmarker.detect(frame.image)
        if len(faces) > 1:
            raise SeveralFacesError(
                f"{self.name} shows {len(faces)} faces",
                hint=f"say which one is meant: --face left|right|largest|1..{len(faces)}",
            )

    def _look(
        self, frame: ImageFrame, seconds: float, last: FaceLandmarks | None
    ) -> FaceLandmarks | None:
        if self._choice is None:
            return self._landmarker.track(frame.image, seconds)
        faces = self._landmarker.detect(frame.image)
        if not faces:
            return None
        return nearest_face(faces, last) if last else select_face(faces, self._choice)


def _chain(lead: list[_Seen], rest: Iterator[_Seen]) -> Iterator[_Seen]:
    yield from lead
    lead.clear()
    yield from rest


def _frame(
    one: _Seen,
    solver: FrameSolver | None,
    last: PerformanceFrame | None,
    calibration: Calibration | None,
) -> PerformanceFrame:
    """Solve one picture, or hold the last frame's values where it shows no face."""
    if one.face is not None and solver is not None:
        return solver.solve(one.face).performance_frame(one.capture_time_nanos, calibration)
    if solver is not None:
        solver.reset()
    held = last or _unseen()
    return replace(
        held, capture_time_nanos=one.capture_time_nanos, tracking_state=TrackingState.LOST
    )


def _unseen() -> PerformanceFrame:
    neutral: NDArray[np.float32] = np.zeros(COEFFICIENT_COUNT, np.float32)
    return PerformanceFrame(
        0, neutral, head_translation=np.array([0.0, 0.0, -_REST_DISTANCE], np.float32)
    )
