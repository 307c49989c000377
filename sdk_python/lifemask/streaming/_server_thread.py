"""A server in a thread of its own, for programs that do not use asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

from lifemask.streaming._server import Server

if TYPE_CHECKING:
    from lifemask.capture import PerformanceSource


class ServerThread:
    """Runs a `Server` beside the calling thread.

    Args:
        sources: As for `Server`.
        **options: As for `Server`.

    Attributes:
        server: The server that runs.

    Example:
        with ServerThread([ScriptedPerformance()]) as server:
            print(server.address)
    """

    def __init__(self, sources: list[PerformanceSource] | tuple = (), **options: Any) -> None:
        self.server = Server(sources, **options)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="lifemask-server", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """`host:port` with the real port."""
        return self.server.address

    @property
    def token(self) -> str | None:
        """The token that clients need; None when they need none."""
        return self.server.token

    def start(self) -> None:
        """Start the server; return when it takes calls.

        Raises:
            AddressInUseError: If the port is taken.
            StreamError: If this machine cannot listen at the address.
        """
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        """Stop the server and wait for its thread; safe to call twice."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._error = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self.server:
            self._started.set()
            await self._stop.wait()
