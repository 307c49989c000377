"""Between the product's frame type and the messages of the wire."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from lifemask._errors import StreamError
from lifemask.capture import PerformanceFrame, TrackingState
from lifemask.v1 import frame_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from lifemask.streaming._retarget import Retarget

MAX_CHANNELS = 256
"""Receivers accept up to this many values in a frame."""

_IDENTITY = (0.0, 0.0, 0.0, 1.0)


def wire_text(text: str) -> str:
    """Return text that a message can hold: file names may hold bytes that are no characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def layout_id(channel_names: Sequence[str]) -> int:
    """Return the positive 31-bit number that stands for a list of channel names."""
    return (zlib.crc32("\n".join(channel_names).encode("utf-8")) & 0x7FFFFFFF) or 1


def channels(names: Sequence[str], validity: ArrayLike) -> list[pb.Channel]:
    """Return the channel list of a header; `validity` is `(n,)` bool."""
    kinds = {True: pb.CHANNEL_VALIDITY_MEASURED, False: pb.CHANNEL_VALIDITY_NOT_MEASURED}
    return [
        pb.Channel(name=name, validity=kinds[bool(valid)])
        for name, valid in zip(names, np.asarray(validity, bool), strict=True)
    ]


def encode_frame(
    frame: PerformanceFrame, *, sequence: int, layout: int, values: NDArray[np.float32]
) -> pb.PerformanceFrame:
    """Build the message of a frame.

    Args:
        frame: Times, head and gaze.
        sequence: Number of the frame in its session, from 1.
        layout: Identifier of the channels that `values` belongs to.
        values: `(n_channels,)`, finite, in [0, 1]; sent instead of `frame.coefficients`.
    """
    x, y, z, w = _finite(frame.head_rotation, _IDENTITY)
    right, up, toward = _finite(frame.head_translation, (0.0, 0.0, 0.0))
    left_yaw, left_pitch, right_yaw, right_pitch = _finite(frame.gaze, (0.0,) * 4)
    return pb.PerformanceFrame(
        sequence=sequence,
        capture_time_nanos=frame.capture_time_nanos,
        layout_id=layout,
        values=values.tolist(),
        head_rotation=pb.Quaternion(x=x, y=y, z=z, w=w),
        head_translation=pb.Vector3(x=right, y=up, z=toward),
        gaze=pb.Gaze(
            left_yaw=left_yaw, left_pitch=left_pitch, right_yaw=right_yaw, right_pitch=right_pitch
        ),
        tracking_state=int(frame.tracking_state),  # type: ignore[arg-type]
    )


def decode_frame(message: pb.PerformanceFrame, retarget: Retarget) -> PerformanceFrame:
    """Return the frame that a message holds.

    Args:
        message: As received; nothing in it is trusted.
        retarget: From the channels of the header to the 52 coefficients.

    Raises:
        StreamError: If the number of values is not that of the header, or a number is not finite.
    """
    try:
        coefficients = retarget.apply(message.values)
    except ValueError as error:
        raise contract_breach(f"a frame holds {error}") from error
    turn, place, gaze = message.head_rotation, message.head_translation, message.gaze
    numbers = np.array(
        [turn.x, turn.y, turn.z, turn.w, place.x, place.y, place.z,
         gaze.left_yaw, gaze.left_pitch, gaze.right_yaw, gaze.right_pitch],
        np.float32,
    )  # fmt: skip
    if not np.isfinite(numbers).all() or not np.isfinite(message.values).all():
        raise contract_breach("a frame holds a number that is not finite")
    return PerformanceFrame(
        capture_time_nanos=message.capture_time_nanos,
        coefficients=coefficients,
        head_rotation=_unit_quaternion(numbers[:4]),
        head_translation=numbers[4:7],
        gaze=numbers[7:],
        tracking_state=_tracking_state(message.tracking_state),
    )


def check_header(header: pb.PerformanceHeader) -> tuple[str, ...]:
    """Return the channel names of a header.

    Raises:
        StreamError: If there are no names, more than 256, or the same one twice.
    """
    names = tuple(channel.name for channel in header.channels)
    if not 0 < len(names) <= MAX_CHANNELS:
        raise contract_breach(f"a header lists {len(names)} channels")
    if len({name.lower() for name in names}) != len(names) or "" in names:
        raise contract_breach("a header names a channel twice, or not at all")
    return names


def contract_breach(what: str) -> StreamError:
    """Return the error for a message that breaks the contract."""
    return StreamError(
        f"the server broke the contract: {what}",
        hint="Server and client may be of different versions; update the older one.",
    )


def _finite(numbers: ArrayLike, fallback: tuple[float, ...]) -> list[float]:
    array = np.asarray(numbers, np.float32)
    return array.tolist() if np.isfinite(array).all() else list(fallback)


def _unit_quaternion(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise `(4,)` x y z w; all zeros stand for the identity."""
    norm = float(np.linalg.norm(numbers.astype(np.float64)))
    if norm < 1e-6:
        return np.array(_IDENTITY, np.float32)
    return (numbers / norm).astype(np.float32)


def _tracking_state(number: int) -> TrackingState:
    try:
        state = TrackingState(number)
    except ValueError:
        return TrackingState.LOST
    return TrackingState.LOST if state is TrackingState.UNSPECIFIED else state
