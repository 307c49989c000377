"""Inputs that no head can be made from: refused with the reason and a picture of the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import (
    AnotherPersonError,
    CacheError,
    FaceCutError,
    InputError,
    NoFaceError,
    SeveralFacesError,
)
from lifemask.avatar._capture_choice import unrest
from lifemask.avatar._capture_judge import crowded, searched_for_others
from lifemask.avatar._evidence import Recording, read_frames
from lifemask.avatar._evidence_person import STRANGERS, strangest_clips

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lifemask.avatar._capture_clip import Clip
    from lifemask.avatar._evidence import Picture, Source
    from lifemask.avatar._stages_cache import Cache
    from lifemask.heads import Head
    from lifemask.tracking import FaceChoice, PhotoFit

_FEWEST_USABLE: Final = 1
_CROWDED_SHARE: Final = 0.2
"""Share of the searched frames with another large face from which it is not clear who is meant."""

_PICTURE_SIZE: Final = 960


class Refusals:
    """Raises the errors of a build that concern what its inputs show.

    Args:
        cache: Where pictures of the frames are put; None for no pictures.
    """

    def __init__(self, cache: Cache | None) -> None:
        self._cache = cache

    def refuse_clip(self, path: Path, clip: Clip, choice: FaceChoice | None) -> None:
        """Refuse a clip that shows no face, or several people and no choice.

        Raises:
            NoFaceError: No frame shows a face.
            SeveralFacesError: Somebody else is often in the picture, as large.
        """
        if not clip.seen.any():
            dark = int(clip.dark.sum())
            also = f" ({dark} of {len(clip)} frames are black)" if dark else ""
            raise NoFaceError(
                f"{path.name}: no face was found in any frame{also}",
                hint="Record one sharp, evenly lit face that looks at the camera."
                + self._picture(path, clip, len(clip) // 2),
            )
        others = crowded(clip)
        if choice is None and len(others) > _CROWDED_SHARE * searched_for_others(clip):
            raise SeveralFacesError(
                f"{path.name}: several people are in the picture",
                hint="Say who is meant, --face left|right|largest; or record the person alone."
                + self._picture(path, clip, int(others[0])),
            )

    def refuse_unusable(self, path: Path, recording: Recording) -> None:
        """Refuse a clip none of whose frames tells the shape.

        Raises:
            FaceCutError: In most frames the face reaches over the border.
            InputError: Every frame is left out for one reason or another.
        """
        if recording.verdict.for_shape.sum() >= _FEWEST_USABLE:
            return
        counts = recording.verdict.counts()
        why = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        worst = max(counts, key=lambda reason: counts[reason])
        kind = FaceCutError if worst == "cut off" else InputError
        place = int(np.flatnonzero(recording.clip.seen)[0])
        raise kind(
            f"{path.name}: none of {len(recording.clip)} frames can be used: {why}",
            hint="Record the whole face, sharp and evenly lit, with some space around it."
            + self._picture(path, recording.clip, place),
        )

    def refuse_strangers(
        self,
        sources: Sequence[Source],
        pictures: Sequence[Picture],
        fits: Sequence[PhotoFit],
        head: Head,
    ) -> None:
        """Refuse clips of different people.

        Raises:
            AnotherPersonError: Two clips do not show the same person.
        """
        apart, first, second = strangest_clips(head, pictures, fits)
        if apart < STRANGERS:
            return
        path, content = sources[second].path, sources[second].content
        assert isinstance(content, Recording)
        place = min(content.choice.shape, key=lambda i: unrest(content.clip.face(i)))
        raise AnotherPersonError(
            f"{path.name} shows another person than {sources[first].path.name}",
            hint="Build each person alone." + self._picture(path, content.clip, place),
        )

    def _picture(self, path: Path, clip: Clip, place: int) -> str:
        """Keep a picture of a frame where nobody else can see it; return words that name it."""
        from lifemask.geometry import resize_image

        if self._cache is None or not len(clip):
            return ""
        images = read_frames(path, [int(clip.numbers[min(place, len(clip) - 1)])])
        height, width = images[0].shape[:2]
        scale = min(1.0, _PICTURE_SIZE / max(height, width))
        small = resize_image(images[0], round(scale * width), round(scale * height))
        try:
            kept = self._cache.keep_picture(f"frame-{clip.numbers[place]}", small)
        except CacheError:
            return ""
        return f" The frame: {kept}"
