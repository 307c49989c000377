"""Open a source of performances from one word of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifemask._errors import SourceError
from lifemask.streaming._ahead import ReadAhead, Still

if TYPE_CHECKING:
    from lifemask.capture import ImageSource, PerformanceSource
    from lifemask.heads import Head
    from lifemask.tracking import FaceChoice

_HINT = "Write script, video:PATH, image:PATH or webcam:NUMBER."


def open_source(
    spec: str, head: Head | None = None, *, face: FaceChoice | None = None
) -> PerformanceSource:
    """Open a source.

    Args:
        spec: `"script"` (the built-in performance), `"video:PATH"`, `"image:PATH"` or
            `"webcam:NUMBER"` (a tracked face).
        head: Head of the performer, if it is known; fitted otherwise. The avatar's head is the
            right one only if it shows the performer.
        face: Which face is meant where there are several.

    Returns:
        A source. Videos are tracked ahead by a thread of their own, so that they play at their
        own rate; a picture is held.

    Raises:
        SourceError: If the text is none of these, or the camera cannot be opened.
        InputError: If the file cannot be used.
        ModelFileError: If the landmarker's model is missing.
    """
    kind, _, place = spec.partition(":")
    if spec == "script":
        from lifemask.capture import ScriptedPerformance

        return ScriptedPerformance()
    if kind not in ("video", "image", "webcam") or not place:
        raise SourceError(f"{spec!r} is not a source", hint=_HINT)
    images = _open_images(kind, place)
    try:
        return _track(kind, images, head, face)
    except BaseException:
        images.close()
        raise


def _open_images(kind: str, place: str) -> ImageSource:
    from lifemask.capture import PhotoSource, VideoSource, WebcamSource

    if kind == "webcam":
        if not (place.isascii() and place.isdigit()):
            raise SourceError(f"{place!r} is not the number of a camera", hint=_HINT)
        return WebcamSource(int(place))
    return VideoSource(Path(place)) if kind == "video" else PhotoSource(Path(place))


def _track(
    kind: str, images: ImageSource, head: Head | None, face: FaceChoice | None
) -> PerformanceSource:
    from lifemask.tracking import TrackedPerformance

    tracked = TrackedPerformance(images, head, face=face)
    if kind == "webcam":
        return tracked
    if kind == "image":
        return Still(tracked)
    ahead = ReadAhead(tracked)
    ahead.prepare()
    return ahead
