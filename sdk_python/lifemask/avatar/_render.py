"""The public function `lifemask.render`: pictures and turntables of an avatar."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import InputError
from lifemask._progress import ProgressCallback, no_progress
from lifemask.avatar._avatar import Avatar
from lifemask.dynamics import dynamic_input, view_direction
from lifemask.geometry import VideoWriter, write_image
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.rendering import (
    STUDIO_LIGHT,
    TURNTABLE_YAWS,
    Light,
    Renderer,
    contact_sheet,
    frame_head,
    turntable,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics import DynamicTexture
    from lifemask.geometry import Pose

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm")
SIZES = (16, 4096)
BEST, NONE = "best", "none"


@dataclass(frozen=True)
class RenderReport:
    """What `render` wrote.

    Attributes:
        path: The file.
        width: Pixels.
        height: Pixels.
        frames: Number of frames of a video, 1 for a picture.
        consent: One line to show with the avatar.
    """

    path: Path
    width: int
    height: int
    frames: int
    consent: str


def render(
    package: str | Path | Avatar,
    out: str | Path,
    *,
    size: int = 512,
    yaw: float | None = None,
    expression: Mapping[str, float] | None = None,
    light: Light | None = STUDIO_LIGHT,
    hair: bool = True,
    dynamic: str = BEST,
    seconds: float = 6.0,
    rate_hz: float = 30.0,
    progress: ProgressCallback = no_progress,
) -> RenderReport:
    """Draw an avatar: a picture from several sides, one view, or a video of a full turn.

    Args:
        package: A `.lifemask` file, an unpacked folder, or an avatar.
        out: `.png` or another picture suffix for a sheet of views, `.mp4` or `.webm` for a turn.
        size: Side of each view, pixels.
        yaw: Draw only this view, radians; positive turns the face toward its own left. Of a
            video, where the turn starts.
        expression: Coefficients by name, 0 to 1; neutral when left out.
        light: Light; `None` shows the texture as it is.
        hair: Draw the cap of hair; without it the painted scalp shows.
        dynamic: Kind of dynamic texture that is drawn, such as `"linear"`; `"best"` takes the best
            that the avatar has, `"none"` shows the static texture.
        seconds: Length of a video: the time of one turn.
        rate_hz: Frame rate of a video.
        progress: Called while a video is drawn.

    Raises:
        PackageError: The package cannot be read.
        InputError: A suffix, size, expression or length that cannot be drawn, or a kind of
            dynamic texture that the avatar does not have.
        ExportError: The file cannot be written.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        raise InputError(
            f"a view of {size} pixels", hint=f"Choose a size of {SIZES[0]} to {SIZES[1]} pixels."
        )
    avatar = package if isinstance(package, Avatar) else Avatar.load(package)
    cap = avatar.hair if hair else None
    coefficients = _coefficients(expression or {})
    texture = chosen_dynamic(avatar, dynamic)
    vertices = avatar.head.vertices(coefficients)
    path, consent = Path(out), avatar.manifest.consent.report()
    renderer = Renderer(
        avatar.head,
        avatar.textures,
        hair=cap,
        supersampling=3,
        layout=None if texture is None else texture.layout,
    )

    def look(pose: Pose) -> NDArray[np.float32] | None:
        if texture is None:
            return None
        return texture.evaluate(dynamic_input(coefficients, view=view_direction(pose)))

    if path.suffix.lower() in VIDEO_SUFFIXES:
        turn = _Turn(size, yaw or 0.0, _frame_count(seconds, rate_hz), rate_hz, light, look)
        turn.write(renderer, vertices, path, progress)
        return RenderReport(path, size, size, turn.frames, consent)
    yaws = TURNTABLE_YAWS if yaw is None else (yaw,)
    views = turntable(renderer, yaws=yaws, width=size, vertices=vertices, light=light, dynamic=look)
    image = views[0] if yaw is not None else _sheet(views)
    write_image(path, image)
    return RenderReport(path, image.shape[1], image.shape[0], 1, consent)


@dataclass(frozen=True)
class _Turn:
    """A head that turns once around."""

    size: int
    start: float
    frames: int
    rate_hz: float
    light: Light | None
    look: Callable[[Pose], NDArray[np.float32] | None]

    def write(
        self,
        renderer: Renderer,
        vertices: NDArray[np.float32],
        path: Path,
        progress: ProgressCallback,
    ) -> None:
        with VideoWriter(path, self.size, self.size, self.rate_hz) as video:
            for index in range(self.frames):
                yaw = self.start + 2 * math.pi * index / self.frames
                camera, pose = frame_head(
                    renderer.head, self.size, self.size, yaw=yaw, hair=renderer.hair
                )
                picture = renderer.render(
                    vertices, pose=pose, camera=camera, light=self.light, dynamic=self.look(pose)
                )
                video.write(picture)
                progress("draw the turn", (index + 1) / self.frames)


def chosen_dynamic(avatar: Avatar, kind: str) -> DynamicTexture | None:
    """Return the dynamic texture of a kind, or the best one, or none.

    Args:
        avatar: Whose.
        kind: A kind, `"best"` or `"none"`.

    Raises:
        InputError: The avatar has none of that kind.
    """
    if kind == BEST:
        return avatar.best_dynamic()
    if kind == NONE:
        return None
    if kind not in avatar.dynamics:
        raise InputError(
            f"the avatar has no dynamic texture {kind!r}",
            hint=f"Use one of {', '.join((*avatar.dynamics, BEST, NONE))}.",
        )
    return avatar.dynamics[kind]


def _sheet(views: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    labels = [f"{math.degrees(yaw):+.0f}°" if yaw else "0°" for yaw in TURNTABLE_YAWS]
    return contact_sheet(views, columns=4, labels=labels)


def _frame_count(seconds: float, rate_hz: float) -> int:
    if not (0 < seconds <= 3600 and 0 < rate_hz <= 1000):
        raise InputError(
            f"a video of {seconds} seconds at {rate_hz} Hz",
            hint="Choose up to an hour, and up to 1000 frames a second.",
        )
    return max(1, round(seconds * rate_hz))


def _coefficients(expression: Mapping[str, float]) -> NDArray[np.float32]:
    coefficients = np.zeros(COEFFICIENT_COUNT, np.float32)
    for name, value in expression.items():
        if name not in COEFFICIENT_INDEX:
            raise InputError(f"there is no expression {name!r}", hint=_near(name))
        if not 0.0 <= value <= 1.0:
            raise InputError(f"{name} is {value}", hint="Coefficients lie between 0 and 1.")
        coefficients[COEFFICIENT_INDEX[name]] = value
    return coefficients


def _near(name: str) -> str:
    import difflib

    found = difflib.get_close_matches(name, COEFFICIENT_NAMES, n=3)
    return f"Did you mean {', '.join(found)}?" if found else "The names are those of ARKit."
