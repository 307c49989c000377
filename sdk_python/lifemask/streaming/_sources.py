"""Open a source of performances from one word of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifemask._errors import SourceError
from lifemask.streaming._ahead import ReadAhead, Still

if TYPE_CHECKING:
    from lifemask.capture import ImageSource, PerformanceSource
    from lifemask.heads import Head

_HINT = "Write script, video:PATH, image:PATH or webcam:NUMBER."


def open_source(spec: str, head: Head | None = None) -> PerformanceSource:
    """Open a source.

    Args:
        spec: `"script"` (the built-in performance), `"video:PATH"`, `"image:PATH"` or
            `"webcam:NUMBER"` (a tracked face).
        head: Head of the avatar; tracking solves for its shapes. Not needed for the script.

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
    if head is None:
        raise SourceError(f"the source {spec!r} needs an avatar", hint="Give an avatar package.")
    return _track(kind, _open_images(kind, place), head)


def _open_images(kind: str, place: str) -> ImageSource:
    from lifemask.capture import PhotoSource, VideoSource, WebcamSource

    if kind == "webcam":
        if not (place.isascii() and place.isdigit()):
            raise SourceError(f"{place!r} is not the number of a camera", hint=_HINT)
        return WebcamSource(int(place))
    return VideoSource(Path(place)) if kind == "video" else PhotoSource(Path(place))


def _track(kind: str, images: ImageSource, head: Head) -> PerformanceSource:
    from lifemask.tracking import TrackedPerformance

    tracked = TrackedPerformance(images, head)
    if kind == "webcam":
        return tracked
    return ReadAhead(tracked) if kind == "video" else Still(tracked)
