"""A client for the calling thread."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from lifemask._errors import StreamError
from lifemask._files import atomic_path
from lifemask.streaming._address import DEFAULT_ADDRESS
from lifemask.streaming._client_types import (
    ClockOffset,
    RemoteAvatar,
    ServerInfo,
    SubjectInfo,
    remote_avatar,
    subject_info,
)
from lifemask.streaming._connection import Connection
from lifemask.streaming._frame_stream import CreditedCall, FrameStream, PlainCall
from lifemask.streaming._messages import contract_breach
from lifemask.v1 import avatar_service_pb2 as avatar_pb
from lifemask.v1 import performance_service_pb2 as pb
from lifemask.v1 import server_service_pb2 as server_pb
from lifemask.v1.avatar_service_pb2_grpc import AvatarServiceStub
from lifemask.v1.performance_service_pb2_grpc import PerformanceServiceStub
from lifemask.v1.server_service_pb2_grpc import ServerServiceStub

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DOWNLOAD_BYTES = 512 * 2**20
_FILE_NAME = re.compile(r"\w[\w-]{0,100}", re.ASCII)


class Client:
    """Talks to one server; every method may be called from any thread.

    Args:
        address: `host:port`; port 50710 when left out.
        token: What the server printed, if it wants a token.
        timeout_seconds: Longest time to wait for a single answer.

    Raises:
        StreamError: If the address is malformed. The first call finds out whether a server
            is there.

    Example:
        with Client("127.0.0.1:50710") as client, client.frames() as frames:
            for received in frames:
                print(received.sequence, received.frame.coefficients[17])
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        timeout_seconds: float = 5.0,
    ) -> None:
        self._connection = Connection(address, token=token, timeout_seconds=timeout_seconds)
        self._performance = PerformanceServiceStub(self._connection.channel)
        self._avatars = AvatarServiceStub(self._connection.channel)
        self._server = ServerServiceStub(self._connection.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; streams that are open end."""
        self._connection.close()

    def server_info(self) -> ServerInfo:
        """Ask the server what it is.

        Raises:
            StreamError: If there is no answer.
        """
        answer = self._connection.ask(self._server.GetServerInfo, server_pb.GetServerInfoRequest())
        return ServerInfo(
            name=answer.name,
            version=answer.version,
            api_versions=tuple(answer.api_versions),
            features=tuple(answer.features),
            start_time_nanos=answer.start_time_nanos,
            max_credits=answer.max_credits,
        )

    def subjects(self) -> list[SubjectInfo]:
        """List the performers.

        Raises:
            StreamError: If there is no answer.
        """
        answer = self._connection.ask(self._performance.ListSubjects, pb.ListSubjectsRequest())
        return [subject_info(subject) for subject in answer.subjects]

    def watch_subjects(self) -> Iterator[list[SubjectInfo]]:
        """Yield the list of performers now and after every change, until the server stops.

        Raises:
            StreamError: If the connection is lost.
        """
        request = pb.WatchSubjectsRequest()
        for answer in self._connection.iterate(self._performance.WatchSubjects, request):
            yield [subject_info(subject) for subject in answer.subjects]

    def frames(
        self,
        subject: str = "",
        *,
        credits: int = 2,
        reconnect_seconds: float = 0.0,
        silence_seconds: float = 5.0,
    ) -> FrameStream:
        """Receive frames at the pace of the loop that takes them.

        A loop that is slower than the source gets fewer frames, never old ones.

        Args:
            subject: Name of the performer; the only one when empty.
            credits: Frames that may be under way, 1 to 8. One more than the round trip holds
                frames is right: 2 on one machine.
            reconnect_seconds: How long a lost connection is tried again.
            silence_seconds: How long nothing, not even a heartbeat, may come.

        Raises:
            ValueError: If `credits` is out of range.
        """
        if not 1 <= credits <= 8:
            raise ValueError(f"credits is {credits}, allowed are 1 to 8")
        connection = self._connection
        return FrameStream(
            lambda: CreditedCall(connection, subject, credits),
            connection,
            reconnect_seconds=reconnect_seconds,
            silence_seconds=silence_seconds,
        )

    def watch_frames(self, subject: str = "", *, max_rate_hz: float = 0.0) -> FrameStream:
        """Receive frames as the server sends them; a slow loop falls behind without bound.

        Args:
            subject: Name of the performer; the only one when empty.
            max_rate_hz: Highest rate; 0 for every frame.
        """
        connection = self._connection
        return FrameStream(lambda: PlainCall(connection, subject, max_rate_hz), connection)

    def synchronize_clock(self, exchanges: int = 8) -> ClockOffset:
        """Compare the server's clock with this machine's.

        Four time stamps per exchange as in NTP (RFC 5905, section 8); the exchange with the
        shortest round trip counts.

        Args:
            exchanges: How many, at least 1.

        Raises:
            StreamError: If there is no answer.
        """
        results = [self._exchange() for _ in range(max(1, exchanges))]
        return min(results, key=lambda result: result.round_trip_nanos)

    def avatars(self) -> list[RemoteAvatar]:
        """List the avatars that the server offers.

        Raises:
            StreamError: If there is no answer.
        """
        answer = self._connection.ask(self._avatars.ListAvatars, avatar_pb.ListAvatarsRequest())
        return [remote_avatar(avatar) for avatar in answer.avatars]

    def avatar(self, avatar_id: str) -> RemoteAvatar:
        """Describe one avatar.

        Raises:
            StreamError: If the server does not have it, or does not answer.
        """
        request = avatar_pb.GetAvatarRequest(avatar_id=avatar_id)
        return remote_avatar(self._connection.ask(self._avatars.GetAvatar, request).avatar)

    def download_avatar(self, avatar_id: str, path: str | Path) -> Path:
        """Download the package of an avatar.

        Args:
            avatar_id: Key from `avatars`.
            path: File to write, or an existing folder that it is written into.

        Returns:
            The file, complete and with the SHA-256 that the server announced.

        Raises:
            StreamError: If the server does not have it, the connection is lost, or the bytes are
                not those announced; no file is left then.
            ExportError: If the file cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            name = avatar_id if _FILE_NAME.fullmatch(avatar_id) else "avatar"
            target = target / f"{name}.lifemask"
        request = avatar_pb.DownloadAvatarRequest(avatar_id=avatar_id)
        answers = self._connection.iterate(self._avatars.DownloadAvatar, request)
        with atomic_path(target) as temporary, temporary.open("wb") as file:
            for chunk in _verified_chunks(answers):
                file.write(chunk)
        return target

    def _exchange(self) -> ClockOffset:
        t0 = time.time_ns()
        request = pb.SynchronizeClockRequest(client_send_time_nanos=t0)
        answer = self._connection.ask(self._performance.SynchronizeClock, request)
        t3 = time.time_ns()
        t1, t2 = answer.server_receive_time_nanos, answer.server_send_time_nanos
        return ClockOffset(((t1 - t0) + (t2 - t3)) // 2, (t3 - t0) - (t2 - t1))


def _verified_chunks(answers: Iterator[avatar_pb.DownloadAvatarResponse]) -> Iterator[bytes]:
    """Yield the bytes of a download; raise `StreamError` where they differ from the summary."""
    first = next(answers, None)
    if first is None or first.WhichOneof("response") != "avatar":
        raise contract_breach("a download does not begin with a description")
    announced = first.avatar
    if not 0 < announced.size_bytes <= MAX_DOWNLOAD_BYTES:
        raise contract_breach(f"a download of {announced.size_bytes} bytes is announced")
    digest, size = hashlib.sha256(), 0
    for answer in answers:
        size += len(answer.chunk)
        if size > announced.size_bytes:
            break
        digest.update(answer.chunk)
        yield answer.chunk
    if size != announced.size_bytes or digest.hexdigest() != announced.sha256:
        raise StreamError(
            f"the download of {announced.avatar_id!r} is damaged: its SHA-256 is wrong",
            hint="Download it again; if that does not help, restart the server.",
        )
