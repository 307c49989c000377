"""How much of the synthetic evaluation is run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class StudySize:
    """Amounts.

    Attributes:
        people: Number of people for photos.
        lights: Pictures of each of them: other camera, light and backdrop.
        portrait: Width and height of the photos, pixels.
        clip_a_seconds: Length of Clip A; 20 s is full length.
        clip_b_seconds: Length of Clip B; 60 s is full length.
        rate_hz: Frames a second of the clips.
        clip: Width and height of the clips, pixels.
        atlas: Of the true albedo, texels.
        texture: Of the built albedo, texels.
        test_seconds: Length of the still clip and of the waving clip.
        test_rate_hz: Their frame rate.
    """

    people: int
    lights: int
    portrait: tuple[int, int]
    clip_a_seconds: float
    clip_b_seconds: float
    rate_hz: float
    clip: tuple[int, int]
    atlas: int
    texture: int
    test_seconds: float
    test_rate_hz: float


SIZES: Final = {
    "quick": StudySize(1, 1, (360, 480), 2.5, 4.0, 8.0, (216, 384), 256, 256, 0.8, 15.0),
    "short": StudySize(2, 1, (576, 768), 10.0, 24.0, 8.0, (360, 640), 1024, 1024, 1.0, 30.0),
    "default": StudySize(3, 1, (768, 1024), 20.0, 60.0, 10.0, (432, 768), 1024, 1024, 2.0, 30.0),
    "full": StudySize(8, 3, (768, 1024), 20.0, 60.0, 30.0, (540, 960), 1024, 2048, 4.0, 30.0),
}
"""By name. `quick` is a test of the code: its clips are too short to judge a tracker by. `short`
shows each expression for a third of a second, four or five frames at most."""
