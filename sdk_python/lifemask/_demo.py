"""`lifemask.demo`: the whole way from a portrait to a moving avatar, without camera or network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lifemask._errors import ExportError
from lifemask._progress import no_progress

if TYPE_CHECKING:
    from lifemask._progress import ProgressCallback
    from lifemask.streaming import WatchReport

PORTRAIT = Path(__file__).parent / "data" / "portrait.jpg"
"""A person who does not exist; `PROVENANCE.md` beside it says where it comes from."""

_RATE_HZ = 30.0


@dataclass(frozen=True)
class DemoResult:
    """What `demo` wrote.

    Attributes:
        package: The avatar package.
        glb: The same avatar as glTF.
        turntable: The avatar from several sides, one picture.
        video: What was received through the stream, drawn.
        stream: Rate, latency and losses of that stream.
    """

    package: Path
    glb: Path
    turntable: Path
    video: Path
    stream: WatchReport


def demo(
    output: str | Path = "lifemask-demo",
    *,
    photo: str | Path | None = None,
    seconds: float = 6.0,
    progress: ProgressCallback = no_progress,
) -> DemoResult:
    """Build an avatar, export it, stream a scripted performance to it and draw what arrives.

    The stream is a real one: a gRPC server on a free loopback port and a client that downloads
    the package from it.

    Args:
        output: Folder to write to; made if it is not there.
        photo: Picture to use in place of the built-in portrait.
        seconds: Length of the performance, greater than 0.
        progress: Told which stage runs and how far it is.

    Returns:
        Paths of what was written, and what was measured.

    Raises:
        InputError: The photo cannot be used.
        ModelFileError: The landmarker's model is not on this machine.
        ExportError: The folder cannot be written to.
    """
    from lifemask import build, export

    folder = _folder(Path(output))
    package, glb = folder / "demo.lifemask", folder / "avatar.glb"
    name = Path(photo).stem if photo else "demo"
    build([Path(photo or PORTRAIT)], package, name=name, progress=progress)
    progress("export glTF", 0.0)
    export(package, glb)
    progress("export glTF", 1.0)
    turntable = _turntable(package, folder / "turntable.png", progress)
    video = folder / "performance.mp4"
    stream = _stream(package, video, seconds, progress)
    return DemoResult(package, glb, turntable, video, stream)


def _turntable(package: Path, path: Path, progress: ProgressCallback) -> Path:
    from lifemask.avatar import Avatar
    from lifemask.geometry import write_image
    from lifemask.rendering import contact_sheet, turntable

    progress("draw the turntable", 0.0)
    avatar = Avatar.load(package)
    views = turntable(avatar.head, avatar.textures, hair=avatar.hair)
    write_image(path, contact_sheet(views, columns=(len(views) + 1) // 2))
    progress("draw the turntable", 1.0)
    return path


def _stream(package: Path, video: Path, seconds: float, progress: ProgressCallback) -> WatchReport:
    from lifemask.capture import ScriptedPerformance
    from lifemask.streaming import ServerThread, watch

    script = ScriptedPerformance(duration_seconds=seconds, rate_hz=_RATE_HZ)
    with ServerThread([script], avatars=[package]) as server:
        progress("stream a performance", 0.0)
        return watch(
            server.address,
            render=video,
            status=lambda state: progress("stream a performance", state.seconds / seconds),
            progress=progress,
        )


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"the folder {path} cannot be made: {error.strerror or error}",
            hint="Choose another with -o.",
        ) from error
    return path
