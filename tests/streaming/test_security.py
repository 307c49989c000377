"""What a listener demands depends on the listener alone."""

from __future__ import annotations

import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lifemask import AddressInUseError, StreamError
from lifemask.streaming import Client, Server, ServerThread
from lifemask.streaming._address import is_loopback, parse_address
from stream_helpers import LiveSource, RawStream, reason, start


def reflected(address: str, metadata=()) -> set[str]:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = stub.ServerReflectionInfo(iter([request]), metadata=metadata)
        return {one.name for one in next(answers).list_services_response.service}


def bearer(token: str):
    return (("authorization", f"Bearer {token}"),)


def test_loopback_needs_no_token_and_explains_itself():
    with ServerThread([LiveSource()]) as server:
        assert server.token is None
        names = reflected(server.address)
        with Client(server.address) as client:
            assert client.server_info().name == "lifemask"
    assert {
        "lifemask.v1.PerformanceService",
        "lifemask.v1.AvatarService",
        "lifemask.v1.ServerService",
        "grpc.health.v1.Health",
    } <= names


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:50710", "example.invalid"])
def test_any_other_listener_demands_a_token(address):
    first, second = Server(address=address).token, Server(address=address).token
    assert first is not None and len(first) >= 32
    assert first != second


@pytest.mark.parametrize("token", [None, "wrong", "s3cre", "s3crett", "S3CRET", "s3cret" * 100])
def test_every_call_is_refused_without_the_token(token):
    with (
        ServerThread([LiveSource()], token="s3cret") as server,
        Client(server.address, token=token) as client,
    ):
        calls = [
            client.server_info,
            client.subjects,
            client.avatars,
            client.synchronize_clock,
            lambda: next(client.frames()),
            lambda: next(client.watch_frames()),
            lambda: next(client.watch_subjects()),
            lambda: client.avatar("x"),
        ]
        for call in calls:
            with pytest.raises(StreamError, match="this server wants a token") as caught:
                call()
            assert "lifemask serve" in caught.value.hint


@pytest.mark.parametrize("token", ["", "a b", "é", "a\n", "a\x00b"])
def test_malformed_tokens(token):
    for make in (lambda: Client("127.0.0.1", token=token), lambda: Server(token=token)):
        with pytest.raises(StreamError, match="no token can have"):
            make()


def test_refusal_waits_for_no_request():
    with ServerThread([LiveSource()], token="s3cret") as server, RawStream(server.address) as raw:
        error = raw.failure()
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    assert reason(error) == "TOKEN_REQUIRED"


def test_health_needs_the_token_too_and_there_is_no_reflection():
    with ServerThread([LiveSource()], require_token=True) as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest()
            with pytest.raises(grpc.RpcError) as caught:
                stub.Check(request)
            assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
            answer = stub.Check(request, metadata=bearer(server.token))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            reflected(server.address, bearer(server.token))
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_token_opens_everything():
    with (
        ServerThread([LiveSource()], require_token=True) as server,
        Client(server.address, token=server.token) as client,
    ):
        assert client.subjects()[0].name == "test"
        assert next(client.frames()).sequence >= 1


def test_two_tokens_are_none():
    both = bearer("x") + bearer("s3cret")
    with (
        ServerThread([LiveSource()], token="s3cret") as server,
        RawStream(server.address, start(), metadata=both) as raw,
    ):
        assert raw.failure().code() == grpc.StatusCode.UNAUTHENTICATED


def test_port_in_use():
    with ServerThread([LiveSource()]) as first:
        source = LiveSource()
        with pytest.raises(AddressInUseError, match="is taken") as caught:
            ServerThread([source], address=first.address).start()
        assert "--address" in caught.value.hint
        assert source.closed.is_set()
        with Client(first.address) as client:
            assert client.server_info().name == "lifemask"


def test_port_taken_by_another_program():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(AddressInUseError):
            ServerThread(address=f"127.0.0.1:{taken.getsockname()[1]}").start()


def test_address_of_another_machine():
    with pytest.raises(StreamError, match="cannot listen") as caught:
        ServerThread(address="192.0.2.1:50710").start()
    assert not isinstance(caught.value, AddressInUseError)


def test_port_is_free_again_after_the_server():
    with ServerThread([LiveSource()]) as server:
        address = server.address
    with ServerThread([LiveSource()], address=address) as server:
        assert server.address == address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:50710", "127.0.0.1:50710"),
        ("localhost", "localhost:50710"),
        ("[::1]:9", "[::1]:9"),
        ("::1", "[::1]:50710"),
        ("[::1]", "[::1]:50710"),
        (" host:0 ", "host:0"),
    ],
)
def test_addresses(text, expected):
    assert str(parse_address(text)) == expected


@pytest.mark.parametrize("text", ["", ":50710", "host:", "host:x", "host:70000", "host:-1", "h:٣"])
def test_malformed_addresses(text):
    with pytest.raises(StreamError, match="not an address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("no.such.host.invalid", False),
    ],
)
def test_what_only_this_machine_can_reach(host, expected):
    assert is_loopback(host) is expected
