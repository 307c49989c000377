"""Serve performances and avatars over gRPC, and receive them.

Nothing is imported before it is used, because gRPC is slow to import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifemask.streaming._ahead import ReadAhead, Still
    from lifemask.streaming._client import Client
    from lifemask.streaming._client_types import (
        ClockOffset,
        ReceivedFrame,
        RemoteAvatar,
        ServerInfo,
        SubjectInfo,
    )
    from lifemask.streaming._frame_stream import FrameStream
    from lifemask.streaming._retarget import Retarget
    from lifemask.streaming._serve import serve
    from lifemask.streaming._server import Server
    from lifemask.streaming._server_thread import ServerThread
    from lifemask.streaming._sources import open_source
    from lifemask.streaming._watch import WatchReport, watch

_HOMES = {
    "Client": "_client",
    "ClockOffset": "_client_types",
    "FrameStream": "_frame_stream",
    "ReadAhead": "_ahead",
    "ReceivedFrame": "_client_types",
    "RemoteAvatar": "_client_types",
    "Retarget": "_retarget",
    "Server": "_server",
    "ServerInfo": "_client_types",
    "ServerThread": "_server_thread",
    "Still": "_ahead",
    "SubjectInfo": "_client_types",
    "WatchReport": "_watch",
    "open_source": "_sources",
    "serve": "_serve",
    "watch": "_watch",
}

__all__ = [
    "Client",
    "ClockOffset",
    "FrameStream",
    "ReadAhead",
    "ReceivedFrame",
    "RemoteAvatar",
    "Retarget",
    "Server",
    "ServerInfo",
    "ServerThread",
    "Still",
    "SubjectInfo",
    "WatchReport",
    "open_source",
    "serve",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
