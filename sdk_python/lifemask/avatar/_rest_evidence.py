"""Where a clip shows the face of a person at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifemask.avatar._evidence import Recording
from lifemask.rigging import settle_at_rest
from lifemask.tracking import FACE_POINTS, LandmarkShape, shape_at_rest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifemask.avatar._evidence import Picture, Source
    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit


def rested_head(
    head: Head,
    sources: Sequence[Source],
    pictures: Sequence[Picture],
    fits: Sequence[PhotoFit],
) -> Head:
    """Move a person's head to where the longest clip shows the face at rest.

    The head stays where there is no clip, or none in which the face moves enough to tell.

    Args:
        head: Of the person.
        sources: Of the build.
        pictures: That were fitted.
        fits: Of them.
    """
    clips = [
        (number, one.content.clip)
        for number, one in enumerate(sources)
        if isinstance(one.content, Recording)
    ]
    if not clips:
        return head
    number, clip = max(clips, key=lambda pair: len(pair[1].faces))
    own = [fit for fit, one in zip(fits, pictures, strict=True) if one.source == number]
    if not own:
        return head
    shape = shape_at_rest(clip.faces, LandmarkShape.from_head(head), own[0].camera)
    return settle_at_rest(head, shape.neutral[:FACE_POINTS]) if shape.rest_known else head
