"""The public function `lifemask.serve`."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING

from lifemask.streaming._address import DEFAULT_ADDRESS
from lifemask.streaming._server import Server
from lifemask.streaming._sources import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lifemask.capture import PerformanceSource


def serve(
    avatar: str | Path | None = None,
    source: str | PerformanceSource = "script",
    address: str = DEFAULT_ADDRESS,
    *,
    token: str | None = None,
    once: bool = False,
    ready: Callable[[Server], None] | None = None,
) -> None:
    """Serve a performance, and the avatar that it drives, until Ctrl-C.

    Args:
        avatar: Package that clients can download; tracking solves for its shapes.
        source: `"script"`, `"video:PATH"`, `"image:PATH"`, `"webcam:NUMBER"` (see `open_source`)
            or a source of your own.
        address: `host:port`. An address that other machines can reach demands a token.
        token: The token; made up when one is needed and none is given.
        once: Play a recorded source once, from the first listener on, and return when it has
            ended and all listeners have left. Otherwise it starts again and again.
        ready: Called when the server takes calls; prints address and token when left out.

    Raises:
        PackageError: If the avatar cannot be read.
        SourceError: If the source cannot be opened.
        AddressInUseError: If the port is taken.
        StreamError: If this machine cannot listen at the address.
    """
    performer = _open(source, avatar)
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


def _open(source: str | PerformanceSource, avatar: str | Path | None) -> PerformanceSource:
    if not isinstance(source, str):
        return source
    head = None
    if avatar is not None and source != "script":
        from lifemask.avatar import Avatar

        head = Avatar.load(avatar).head
    return open_source(source, head)


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
