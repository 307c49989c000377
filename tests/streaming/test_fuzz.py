"""Bytes that make no sense: typed errors at one end, a server that goes on at the other."""

from __future__ import annotations

import contextlib

import grpc
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifemask import LifemaskError, StreamError
from lifemask.heads import COEFFICIENT_NAMES
from lifemask.streaming import Client, Retarget, ServerThread
from lifemask.streaming._client_types import remote_avatar, stream_end, stream_header, subject_info
from lifemask.streaming._messages import channels, decode_frame, layout_id
from lifemask.v1 import avatar_service_pb2, frame_pb2
from lifemask.v1 import performance_service_pb2 as pb
from stream_helpers import LiveSource, StubServer

FEW = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=300, deadline=None)

FRAME = frame_pb2.PerformanceFrame(
    sequence=3,
    layout_id=layout_id(COEFFICIENT_NAMES),
    values=[0.5] * 52,
    head_rotation=frame_pb2.Quaternion(w=1.0),
)
HEADER = frame_pb2.PerformanceHeader(
    layout_id=layout_id(COEFFICIENT_NAMES), channels=channels(COEFFICIENT_NAMES, [True] * 52)
)


@st.composite
def damaged(draw, message):
    """The bytes of a message, cut, changed or lengthened."""
    data = bytearray(message.SerializeToString())
    for _ in range(draw(st.integers(0, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(data)))
    return bytes(data[:end]) + draw(st.binary(max_size=12))


@MANY
@given(st.one_of(st.binary(max_size=400), damaged(FRAME)))
def test_frame_decoder(data):
    try:
        message = frame_pb2.PerformanceFrame.FromString(data)
    except DecodeError:
        return
    try:
        frame = decode_frame(message, Retarget(COEFFICIENT_NAMES, COEFFICIENT_NAMES))
    except StreamError:
        return
    assert frame.coefficients.shape == (52,)
    assert (frame.coefficients >= 0).all() and (frame.coefficients <= 1).all()
    assert abs(float((frame.head_rotation.astype(float) ** 2).sum()) - 1.0) < 1e-4


@MANY
@given(st.one_of(st.binary(max_size=400), damaged(HEADER)))
def test_header_and_list_decoders(data):
    for message_type, read in (
        (frame_pb2.PerformanceHeader, stream_header),
        (frame_pb2.StreamEnd, stream_end),
        (pb.Subject, subject_info),
        (avatar_service_pb2.AvatarSummary, remote_avatar),
    ):
        try:
            message = message_type.FromString(data)
        except DecodeError:
            continue
        with contextlib.suppress(StreamError):
            read(message)


@pytest.fixture(scope="module")
def server():
    with ServerThread([LiveSource()]) as running:
        yield running


@pytest.fixture(scope="module")
def channel(server):
    with grpc.insecure_channel(server.address) as opened:
        yield opened


METHODS = {
    "PerformanceService": ["ListSubjects", "SynchronizeClock"],
    "AvatarService": ["ListAvatars", "GetAvatar"],
    "ServerService": ["GetServerInfo"],
}
UNARY = [f"/lifemask.v1.{service}/{name}" for service, names in METHODS.items() for name in names]


@FEW
@given(st.sampled_from([*UNARY, "/lifemask.v1.No/Such"]), st.binary(max_size=300))
def test_server_survives_any_request(server, channel, method, data):
    try:
        channel.unary_unary(method)(data, timeout=5)
    except grpc.RpcError as error:
        assert error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


@FEW
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            damaged(pb.StreamFramesRequest(start=pb.StreamStart(initial_credits=3))),
            damaged(pb.StreamFramesRequest(credit=pb.StreamCredit(count=2))),
        ),
        max_size=4,
    )
)
def test_server_survives_any_stream(server, channel, requests):
    call = channel.stream_stream("/lifemask.v1.PerformanceService/StreamFrames")
    try:
        for _ in call(iter(requests), timeout=5):
            pass
    except grpc.RpcError as error:
        assert error.code() not in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)


def test_server_still_serves(server):
    with Client(server.address) as client:
        assert next(client.frames()).sequence > 0


def test_request_that_is_too_large(channel, server):
    for _ in range(3):
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(UNARY[0])(bytes(200_000), timeout=5)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    with Client(server.address) as client:
        assert client.subjects()


@FEW
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            damaged(pb.StreamFramesResponse(header=HEADER)),
            st.just(pb.StreamFramesResponse(header=HEADER).SerializeToString()),
            damaged(pb.StreamFramesResponse(frame=FRAME)),
        ),
        max_size=5,
    )
)
def test_client_raises_nothing_but_its_own_errors(responses):
    with StubServer(responses, raw=True) as stub, Client(stub.address) as client:
        try:
            for received in client.frames():
                assert received.frame.coefficients.shape == (52,)
        except LifemaskError:
            pass
