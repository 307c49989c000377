"""AvatarService and ServerService: what a server offers, and what it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lifemask._version import __version__
from lifemask.streaming._hub import MAX_CREDITS
from lifemask.streaming._status import abort
from lifemask.v1 import avatar_service_pb2 as pb
from lifemask.v1 import avatar_service_pb2_grpc as rpc
from lifemask.v1 import server_service_pb2 as server_pb
from lifemask.v1 import server_service_pb2_grpc as server_rpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import grpc

    from lifemask.streaming._avatar_store import AvatarStore, OfferedAvatar

CHUNK_BYTES = 64 * 1024


class AvatarServicer(rpc.AvatarServiceServicer):
    """Serves what a store holds."""

    def __init__(self, store: AvatarStore) -> None:
        self._store = store

    async def ListAvatars(
        self, request: pb.ListAvatarsRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListAvatarsResponse:
        """Answer with all avatars."""
        summaries = [avatar.summary for avatar in self._store.avatars.values()]
        return pb.ListAvatarsResponse(avatars=summaries)

    async def GetAvatar(
        self, request: pb.GetAvatarRequest, context: grpc.aio.ServicerContext
    ) -> pb.GetAvatarResponse:
        """Answer with one avatar."""
        avatar = await self._find(request.avatar_id, context)
        return pb.GetAvatarResponse(avatar=avatar.summary)

    async def DownloadAvatar(
        self, request: pb.DownloadAvatarRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.DownloadAvatarResponse]:
        """Answer with the description, then the bytes of the package."""
        avatar = await self._find(request.avatar_id, context)
        yield pb.DownloadAvatarResponse(avatar=avatar.summary)
        for start in range(0, len(avatar.data), CHUNK_BYTES):
            yield pb.DownloadAvatarResponse(chunk=avatar.data[start : start + CHUNK_BYTES])

    async def _find(self, avatar_id: str, context: grpc.aio.ServicerContext) -> OfferedAvatar:
        avatar = self._store.avatars.get(avatar_id)
        if avatar is None:
            await abort(context, "AVATAR_NOT_FOUND", f"there is no avatar {avatar_id!r}")
        return avatar


class ServerServicer(server_rpc.ServerServiceServicer):
    """Describes this server."""

    def __init__(self) -> None:
        self._start_time_nanos = time.time_ns()

    async def GetServerInfo(
        self, request: server_pb.GetServerInfoRequest, context: grpc.aio.ServicerContext
    ) -> server_pb.GetServerInfoResponse:
        """Answer with name, version and abilities."""
        return server_pb.GetServerInfoResponse(
            name="lifemask",
            version=__version__,
            api_versions=["lifemask.v1"],
            features=["performance", "avatars", "clock"],
            start_time_nanos=self._start_time_nanos,
            max_credits=MAX_CREDITS,
        )
