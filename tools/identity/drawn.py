"""Landmarks that the landmarker finds on pictures of known people."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Self

import numpy as np

from lifemask.avatar import Avatar
from lifemask.rendering import Renderer
from lifemask.tracking import FaceLandmarker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from identity.people import Person, Shot
    from lifemask.tracking import FaceLandmarks


class DrawnLandmarks:
    """Draws shots with the demo portrait's texture and looks at the pictures."""

    def __init__(self) -> None:
        import lifemask

        with resources.as_file(resources.files("lifemask") / "data" / "portrait.jpg") as path:
            avatar: Avatar = lifemask.build(path, texture_size=1024)
        self.textures = avatar.textures
        self._landmarker = FaceLandmarker(max_faces=1)
        self._last: tuple[int, Renderer] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def picture(self, person: Person, shot: Shot) -> NDArray[np.uint8]:
        """Draw a shot, `(h, w, 3)` uint8 sRGB."""
        if self._last is None or self._last[0] != person.number:
            self._last = person.number, Renderer(person.head, self.textures)
        return self._last[1].render(
            shot.vertices, pose=shot.pose, camera=shot.camera, background=(120, 122, 125)
        )

    def __call__(self, person: Person, shot: Shot, seed: int) -> FaceLandmarks | None:
        """Return what the landmarker finds; `seed` is not needed."""
        faces = self._landmarker.detect(self.picture(person, shot))
        return faces[0] if len(faces) == 1 else None
