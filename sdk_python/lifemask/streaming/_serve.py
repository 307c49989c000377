"""The public function `lifemask.serve`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from lifemask.capture import PerformanceSource
from lifemask.streaming._address import DEFAULT_ADDRESS
from lifemask.streaming._server import Server
from lifemask.streaming._sources import open_source


def serve(
    avatar: str | Path | None = None,
    source: str | PerformanceSource = "script",
    address: str = DEFAULT_ADDRESS,
    *,
    token: str | None = None,
    face: Literal["left", "right", "largest"] | int | None = None,
    once: bool = False,
    ready: Callable[[Server], None] | None = None,
) -> None:
    """Serve a performance, and the avatar that it drives, until Ctrl-C.

    Args:
        avatar: Package that clients can download and that the performance drives.
        source: `"script"`, `"video:PATH"`, `"image:PATH"`, `"webcam:NUMBER"` (see `open_source`)
            or a source of your own.
        address: `host:port`. An address that other machines can reach demands a token.
        token: The token; made up when one is needed and none is given.
        face: Which face of a video, picture or camera is meant where there are several.
        once: Play a recorded source once, from the first listener on, and return when it has
            ended and all listeners have left. Otherwise it starts again and again.
        ready: Called when the server takes calls; prints address and token when left out.

    Raises:
        PackageError: If the avatar cannot be read.
        SourceError: If the source cannot be opened.
        InputError: If the source is a file that cannot be used.
        ModelFileError: If the landmarker's model is missing.
        AddressInUseError: If the port is taken.
        StreamError: If this machine cannot listen at the address.
    """
    performer = open_source(source, face=face) if isinstance(source, str) else source
    try:
        server = Server(
            [performer],
            avatars=[] if avatar is None else [avatar],
            address=address,
            token=token,
            repeat=not once,
        )
    except BaseException:
        performer.close()
        raise
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(server, ready or _announce, once=once))


async def _run(server: Server, ready: Callable[[Server], None], *, once: bool) -> None:
    async with server:
        ready(server)
        if once:
            await server.wait_for_end()
        else:
            await asyncio.Event().wait()


def _announce(server: Server) -> None:
    print(f"serving {', '.join(server.subjects)} at {server.address}", file=sys.stderr)
    if server.token:
        print(f"token: {server.token}", file=sys.stderr)
