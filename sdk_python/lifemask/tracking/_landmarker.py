"""MediaPipe's FaceLandmarker behind the `Landmarker` interface."""

from __future__ import annotations

import atexit
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from lifemask.heads import COEFFICIENT_INDEX
from lifemask.tracking._faces import FaceLandmarks, left_to_right, nearest_face, overlap
from lifemask.tracking._mediapipe import (
    checked_picture,
    import_mediapipe,
    mediapipe_image,
    missing_library,
    quiet_standard_error,
)
from lifemask.tracking._models import find_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_WORKING_SIZE: Final = 1280
"""Longer side, pixels, of the pictures that MediaPipe sees: it samples its 256 x 256 crop
without a low-pass, so a larger picture only adds noise."""

_SHARP_SIZE: Final = 350.0
"""Size of a face in pixels from which more resolution does not help the landmarks."""

_SURROUNDINGS: Final = 0.75
"""Width, share of the face, of what is shown around a face that is looked at again."""

_TILE_MINIMUM: Final = 160
"""Shortest side of a tile, pixels."""

_SEARCH_LEVELS: Final = 4
"""Whole picture, picture with a border, tiles of a half, tiles of a quarter of its sides."""

_STEP_MILLIS: Final = 1_000_000
"""Time between two pictures as MediaPipe is told: its filter, which cannot be switched off for
one face, then takes each picture's landmarks as they are."""

_QUICK_LEVELS: Final = 2
"""What a video affords per frame while it shows no face."""

_SAME_FACE_OVERLAP: Final = 0.3
"""Intersection over union of two boxes above which they are the same face."""

_open_landmarkers: weakref.WeakSet[FaceLandmarker] = weakref.WeakSet()


class FaceLandmarker:
    """Finds 478 landmarks and 51 expression scores with MediaPipe's FaceLandmarker.

    The short-range detector misses faces that fill the picture or are small in it; such a
    picture is searched again with a border around it and then in overlapping tiles.

    Args:
        model_path: The model file; looked for by `find_model` when left out.
        max_faces: Most faces that `detect` returns.

    Raises:
        ModelFileError: The model file was not found.
        MissingExtraError: MediaPipe or a system library that it needs is missing.
    """

    def __init__(self, model_path: str | Path | None = None, *, max_faces: int = 5) -> None:
        self._model = find_model(path=model_path)
        self._max_faces = max_faces
        self._detector: Any = None
        self._tracker: Any = None
        self._last_millis = 0
        self._last_seconds = 0.0
        self._last_face: FaceLandmarks | None = None
        _open_landmarkers.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def detect(self, image: NDArray[np.uint8]) -> list[FaceLandmarks]:
        """Find all faces in one picture.

        Args:
            image: `(height, width, 3)` uint8 sRGB.

        Returns:
            One entry per face, left to right; empty where there is none.

        Raises:
            ImageError: The array is not a picture.
        """
        return self._search(image, _SEARCH_LEVELS)

    def track(self, image: NDArray[np.uint8], time_seconds: float) -> FaceLandmarks | None:
        """Follow one face through pictures given in order of time.

        MediaPipe starts from the landmarks of the previous picture. They are not smoothed: its
        own filter comes more than half a frame late and keeps quick blinks from closing.

        Args:
            image: `(height, width, 3)` uint8 sRGB.
            time_seconds: Capture time from any origin. An earlier time than the last begins
                another run of pictures; the same time counts as a millisecond later.

        Returns:
            The landmarks, or None where no face is found.
        """
        small, scale = _working_copy(checked_picture(image))
        picture, stamp = mediapipe_image(small), self._stamp(time_seconds)
        result = self._video_mode().detect_for_video(picture, stamp)
        if self._last_face is None and result.face_landmarks:
            # A detected face is cropped otherwise than a followed one, which moves all landmarks
            # once, by as much as a head that comes a centimetre nearer. So the first is followed.
            result = self._video_mode().detect_for_video(picture, self._stamp(time_seconds))
        faces = [_moved(one, (0.0, 0.0), scale, image) for one in _faces(result, small)]
        self._last_face = self._followed(faces) if faces else self._recover(image)
        return self._last_face

    def close(self) -> None:
        """Release MediaPipe's graphs; safe to call twice."""
        for graph in (self._detector, self._tracker):
            if graph is not None:
                graph.close()
        self._detector = self._tracker = None
        _open_landmarkers.discard(self)

    def _stamp(self, time_seconds: float) -> int:
        """Return milliseconds that always increase, as MediaPipe demands."""
        if time_seconds < self._last_seconds:
            self._last_face = None
        self._last_seconds = time_seconds
        self._last_millis += _STEP_MILLIS
        return self._last_millis

    def _search(self, image: NDArray[np.uint8], levels: int) -> list[FaceLandmarks]:
        small, scale = _working_copy(checked_picture(image))
        for level in range(levels):
            faces = [
                _moved(face, offset, scale, image)
                for view, offset in _views(small, level)
                for face in self._detect_once(view)
            ]
            if faces:
                faces = [self._closer(face, image, scale) for face in _without_doubles(faces)]
                return left_to_right(faces)[: self._max_faces]
        return []

    def _closer(self, face: FaceLandmarks, image: NDArray[np.uint8], scale: float) -> FaceLandmarks:
        """Look again at the full resolution where the working copy has made a face small."""
        if scale == 1.0 or face.size * scale > _SHARP_SIZE:
            return face
        height, width = image.shape[:2]
        left, top, right, bottom = face.box
        margin = _SURROUNDINGS * face.size
        x0, y0 = max(0, int(left - margin)), max(0, int(top - margin))
        crop = image[y0 : min(height, int(bottom + margin)), x0 : min(width, int(right + margin))]
        view, view_scale = _working_copy(crop)
        offset = (x0 * view_scale, y0 * view_scale)
        found = [_moved(one, offset, view_scale, image) for one in self._detect_once(view)]
        return nearest_face(found, face) if found else face

    def _recover(self, image: NDArray[np.uint8]) -> FaceLandmarks | None:
        """Search one picture afresh: the face nearest to the last one, else the largest."""
        faces = self._search(image, _QUICK_LEVELS)
        return self._followed(faces) if faces else None

    def _followed(self, faces: list[FaceLandmarks]) -> FaceLandmarks:
        last = self._last_face
        if last is None:
            return max(faces, key=lambda face: face.size)
        return nearest_face(faces, last)

    def _detect_once(self, image: NDArray[np.uint8]) -> list[FaceLandmarks]:
        return _faces(self._image_mode().detect(mediapipe_image(image)), image)

    def _image_mode(self) -> Any:
        if self._detector is None:
            self._detector = _create(self._model, faces=self._max_faces, video=False)
        return self._detector

    def _video_mode(self) -> Any:
        if self._tracker is None:
            self._tracker = _create(self._model, faces=1, video=True)
        return self._tracker


@atexit.register
def _close_all() -> None:
    # MediaPipe's own destructor fails once the interpreter has begun to shut down.
    for landmarker in list(_open_landmarkers):
        landmarker.close()


def _create(model: Path, *, faces: int, video: bool) -> Any:
    with quiet_standard_error():
        vision, base_options = import_mediapipe()
        mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
        options = vision.FaceLandmarkerOptions(
            # The bytes and not the path: MediaPipe cannot open every path that Python can.
            base_options=base_options(model_asset_buffer=model.read_bytes()),
            running_mode=mode,
            num_faces=faces,
            output_face_blendshapes=True,
        )
        try:
            graph = vision.FaceLandmarker.create_from_options(options)
        except OSError as error:
            raise missing_library(error) from error
        _warm_up(graph, video=video)
    return graph


def _warm_up(graph: Any, *, video: bool) -> None:
    # The graph logs from its own threads until the first picture has passed through.
    blank = mediapipe_image(np.zeros((64, 64, 3), np.uint8))
    if video:
        graph.detect_for_video(blank, 0)
    else:
        graph.detect(blank)


def _faces(result: Any, image: NDArray[np.uint8]) -> list[FaceLandmarks]:
    height, width = image.shape[:2]
    scale = np.array([width, height, width], np.float32)
    faces = []
    for index, landmarks in enumerate(result.face_landmarks):
        points = np.array([(p.x, p.y, p.z) for p in landmarks], np.float32) * scale
        scores = result.face_blendshapes[index] if result.face_blendshapes else []
        named = {s.category_name: float(s.score) for s in scores}
        named = {name: score for name, score in named.items() if name in COEFFICIENT_INDEX}
        faces.append(FaceLandmarks(points, width, height, named))
    return faces


def _working_copy(image: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Return the picture at no more than the working size, and its scale."""
    height, width = image.shape[:2]
    scale = min(1.0, _WORKING_SIZE / max(height, width))
    if scale == 1.0:
        return image, scale
    import cv2

    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _views(
    image: NDArray[np.uint8], level: int
) -> Iterator[tuple[NDArray[np.uint8], tuple[float, float]]]:
    """Yield the parts of a picture that one level of the search looks at, with their offsets."""
    height, width = image.shape[:2]
    if level == 0:
        yield image, (0.0, 0.0)
    elif level == 1:
        border = max(height, width) // 2
        framed = np.full((height + 2 * border, width + 2 * border, 3), 127, np.uint8)
        framed[border : border + height, border : border + width] = image
        yield framed, (-float(border), -float(border))
    else:
        parts = 2 ** (level - 1)
        if min(height, width) // parts >= _TILE_MINIMUM:
            yield from _tiles(image, parts)


def _tiles(
    image: NDArray[np.uint8], parts: int
) -> Iterator[tuple[NDArray[np.uint8], tuple[float, float]]]:
    """Yield tiles of `1 / parts` of the sides that overlap by half."""
    height, width = image.shape[0] // parts, image.shape[1] // parts
    for row in range(2 * parts - 1):
        for column in range(2 * parts - 1):
            top, left = row * height // 2, column * width // 2
            yield image[top : top + height, left : left + width], (float(left), float(top))


def _moved(
    face: FaceLandmarks, offset: tuple[float, float], scale: float, image: NDArray[np.uint8]
) -> FaceLandmarks:
    """Return a face found in a view in the coordinates of the whole picture."""
    height, width = image.shape[:2]
    points = (face.points + np.array([*offset, 0.0], np.float32)) / np.float32(scale)
    return FaceLandmarks(points, width, height, face.scores)


def _without_doubles(faces: list[FaceLandmarks]) -> list[FaceLandmarks]:
    kept: list[FaceLandmarks] = []
    for face in sorted(faces, key=lambda face: face.size, reverse=True):
        if all(overlap(face, other) < _SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept
