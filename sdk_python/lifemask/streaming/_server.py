"""The gRPC server: one listener, some sources, some avatars."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final, Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from lifemask.streaming._address import Address, bind_error, is_loopback, parse_address
from lifemask.streaming._avatar_service import AvatarServicer, ServerServicer
from lifemask.streaming._avatar_store import AvatarStore
from lifemask.streaming._hub import Hub, Subject
from lifemask.streaming._performance_service import PerformanceServicer
from lifemask.streaming._producer import Producer
from lifemask.streaming._token import TokenInterceptor, check_token
from lifemask.v1 import (
    avatar_service_pb2,
    avatar_service_pb2_grpc,
    performance_service_pb2,
    performance_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence
    from pathlib import Path

    from lifemask.capture import PerformanceSource
    from lifemask.v1 import frame_pb2

PERFORMANCE_SERVICE: Final = "lifemask.v1.PerformanceService"
_SERVICES: Final = (
    PERFORMANCE_SERVICE,
    avatar_service_pb2.DESCRIPTOR.services_by_name["AvatarService"].full_name,
    server_service_pb2.DESCRIPTOR.services_by_name["ServerService"].full_name,
)
_OPTIONS: Final = (
    # Without this a second server binds the same port silently and takes half of the clients.
    ("grpc.so_reuseport", 0),
    # A phone that left the network is noticed within 15 s, whether frames flow or not.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    # All requests are small; a larger one is a mistake or an attack.
    ("grpc.max_receive_message_length", 64 * 1024),
)
_STOP_SECONDS = 0.5


class Server:
    """Serves performances and avatars over gRPC on one address.

    Security is a property of the listener: one that only this machine can reach (loopback) takes
    every call and serves reflection; any other one demands a token with every call and has no
    reflection. The connection is not encrypted.

    A recorded source waits for its first listener, so that nobody misses the beginning.

    Args:
        sources: What is served; names must differ. The server closes them.
        avatars: Package files or unpacked folders. Subjects drive the first one.
        address: `host:port`; port 0 takes a free one.
        token: What clients must send as `authorization: Bearer TOKEN`. Made up when the listener
            needs one and none is given.
        require_token: Demand the token on loopback too.
        repeat: Start recorded sources again when they end.
        heartbeat_seconds: Time between the heartbeats of each stream.

    Attributes:
        token: The token that clients need; None when they need none.

    Raises:
        PackageError: If an avatar cannot be read.
        StreamError: If the address or the token is malformed.

    Example:
        async with Server([ScriptedPerformance()], address="127.0.0.1:0") as server:
            print(server.address)
            await server.wait_for_end()
    """

    def __init__(
        self,
        sources: Sequence[PerformanceSource] = (),
        *,
        avatars: Iterable[str | Path] = (),
        address: str = "127.0.0.1:0",
        token: str | None = None,
        require_token: bool = False,
        repeat: bool = False,
        heartbeat_seconds: float = 1.0,
    ) -> None:
        self._listen = parse_address(address)
        needs_token = require_token or token is not None or not is_loopback(self._listen.host)
        if needs_token and token is None:
            token = secrets.token_urlsafe(24)
        self.token = None if token is None else check_token(token)
        self._store = AvatarStore(avatars)
        avatar_id = next(iter(self._store.avatars), "")
        self._producers = [
            Producer(source, repeat=repeat, avatar_id=avatar_id) for source in sources
        ]
        self._hub = Hub()
        self._heartbeat_seconds = heartbeat_seconds
        self._health = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]
        self._server: grpc.aio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def address(self) -> str:
        """`host:port` with the real port; valid after `start`."""
        return str(Address(self._listen.host, self._port))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the subjects."""
        return tuple(producer.header.subject for producer in self._producers)

    async def start(self) -> None:
        """Bind the port, then start the live sources.

        Raises:
            AddressInUseError: If the port is taken.
            StreamError: If this machine cannot listen at the address.
        """
        self._server = self._make_server()
        try:
            self._port = self._server.add_insecure_port(str(self._listen))
        except RuntimeError as error:
            self._close_sources()
            raise bind_error(self._listen) from error
        for producer in self._producers:
            self._add_subject(producer)
        await self._update_health()
        await self._server.start()
        self._spawn(self._hub.beat_forever(self._heartbeat_seconds))

    async def stop(self) -> None:
        """Tell all clients, stop the sources and close the port; safe to call twice."""
        if self._server is None:
            return
        server, self._server = self._server, None
        self._hub.stop()
        await self._health.enter_graceful_shutdown()
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in self._producers))
        await server.stop(_STOP_SECONDS)
        for task in self._tasks:
            task.cancel()

    async def wait_for_end(self) -> None:
        """Return when all performances have ended and no stream is left."""
        while not self._is_over():
            change = self._hub.change
            await change.wait()

    def _is_over(self) -> bool:
        subjects = self._hub.subjects.values()
        return all(one.end is not None and one.stream_count == 0 for one in subjects)

    def _make_server(self) -> grpc.aio.Server:
        interceptors = [TokenInterceptor(self.token)] if self.token else []
        server = grpc.aio.server(options=_OPTIONS, interceptors=interceptors)
        performance_service_pb2_grpc.add_PerformanceServiceServicer_to_server(
            PerformanceServicer(self._hub), server
        )
        avatar_service_pb2_grpc.add_AvatarServiceServicer_to_server(
            AvatarServicer(self._store), server
        )
        server_service_pb2_grpc.add_ServerServiceServicer_to_server(ServerServicer(), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self.token is None:
            names = (*_SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        return server

    def _add_subject(self, producer: Producer) -> None:
        loop = asyncio.get_running_loop()

        def start() -> None:
            producer.start(loop, subject.publish, finish)

        def finish(reason: frame_pb2.StreamEndReason, message: str) -> None:
            subject.finish(reason, message)
            self._spawn(self._update_health())

        live = producer.source.live
        subject = self._hub.add(producer.header, wanted=None if live else start)
        if live:
            start()

    async def _update_health(self) -> None:
        serving, broken = (
            health_pb2.HealthCheckResponse.SERVING,
            health_pb2.HealthCheckResponse.NOT_SERVING,
        )
        for name in ("", *_SERVICES):
            await self._health.set(name, serving)
        if _all_broken(self._hub.subjects.values()):
            await self._health.set(PERFORMANCE_SERVICE, broken)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close_sources(self) -> None:
        for producer in self._producers:
            producer.stop()


def _all_broken(subjects: Iterable[Subject]) -> bool:
    """Return whether a source failed and none is left that can still deliver."""
    states = {subject.state for subject in subjects}
    alive = {
        performance_service_pb2.SUBJECT_STATE_WAITING,
        performance_service_pb2.SUBJECT_STATE_LIVE,
    }
    return performance_service_pb2.SUBJECT_STATE_FAILED in states and not states & alive
