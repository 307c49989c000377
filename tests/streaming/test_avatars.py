"""Avatars travel whole, or not at all."""

from __future__ import annotations

import datetime
import hashlib
from concurrent import futures

import grpc
import numpy as np
import pytest

from lifemask import ExportError, PackageError, StreamError
from lifemask.avatar import Avatar, Consent, Manifest
from lifemask.streaming import Client, Server, ServerThread
from lifemask.v1 import avatar_service_pb2 as pb
from lifemask.v1.avatar_service_pb2_grpc import (
    AvatarServiceServicer,
    add_AvatarServiceServicer_to_server,
)
from stream_helpers import LiveSource
from synthetic import make_head


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A packed avatar with consent, and an unpacked one without."""
    folder = tmp_path_factory.mktemp("avatars")
    noise = np.random.default_rng(3).integers(0, 255, (256, 256, 3), np.uint8)
    consent = Consent("Ada", "tests", datetime.date(2025, 3, 31))
    ada = Avatar("Ada L.", make_head(), {"albedo": noise}, Manifest(consent=consent))
    ada.save(folder / "ada.lifemask", glb=False)
    Avatar("Bo", make_head(), {"albedo": noise[:16]}).save(folder / "bo", unpacked=True, glb=False)
    return folder


@pytest.fixture(scope="module")
def server(packages):
    avatars = [packages / "ada.lifemask", packages / "bo"]
    with ServerThread([LiveSource()], avatars=avatars) as running:
        yield running


@pytest.fixture
def client(server):
    with Client(server.address) as connected:
        yield connected


def test_list(client, packages):
    ada, bo = client.avatars()
    data = (packages / "ada.lifemask").read_bytes()
    assert (ada.avatar_id, ada.display_name, ada.size_bytes) == ("ada", "Ada L.", len(data))
    assert len(data) > 3 * 65536
    assert ada.sha256 == hashlib.sha256(data).hexdigest()
    assert ada.consent == {"subject": "Ada", "purpose": "tests", "date": "2025-03-31"}
    assert (bo.avatar_id, bo.display_name, bo.consent) == ("bo", "Bo", {})
    assert client.avatar("ada") == ada


def test_subjects_drive_the_first_avatar(client):
    assert client.subjects()[0].avatar_id == "ada"
    stream = client.frames()
    next(stream)
    assert stream.header.avatar_id == "ada"


def test_download(client, packages, tmp_path):
    target = tmp_path / "copy.lifemask"
    assert client.download_avatar("ada", target) == target
    assert target.read_bytes() == (packages / "ada.lifemask").read_bytes()
    assert Avatar.load(target).name == "Ada L."
    assert [path.name for path in tmp_path.iterdir()] == ["copy.lifemask"]


def test_unpacked_avatar_comes_packed(client, tmp_path):
    path = client.download_avatar("bo", tmp_path)
    assert path == tmp_path / "bo.lifemask"
    np.testing.assert_array_equal(Avatar.load(path).head.neutral, make_head().neutral)


def test_unknown_avatar(client, tmp_path):
    for call in (lambda: client.avatar("no"), lambda: client.download_avatar("no", tmp_path)):
        with pytest.raises(StreamError, match="there is no avatar 'no'") as caught:
            call()
        assert "Client.avatars" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_folder_that_does_not_exist(client, tmp_path):
    with pytest.raises(ExportError):
        client.download_avatar("ada", tmp_path / "no" / "ada.lifemask")


def test_server_keeps_what_it_had_when_it_started(packages, tmp_path):
    copy = tmp_path / "ada.lifemask"
    copy.write_bytes((packages / "ada.lifemask").read_bytes())
    with ServerThread(avatars=[copy]) as server, Client(server.address) as client:
        copy.write_bytes(b"something else")
        fetched = client.download_avatar("ada", tmp_path / "fetched.lifemask")
        assert Avatar.load(fetched).name == "Ada L."


def test_names_that_collide(packages, tmp_path):
    (tmp_path / "ada.lifemask").write_bytes((packages / "ada.lifemask").read_bytes())
    avatars = [packages / "ada.lifemask", tmp_path / "ada.lifemask"]
    with ServerThread(avatars=avatars) as server, Client(server.address) as client:
        assert [one.avatar_id for one in client.avatars()] == ["ada", "ada-2"]


def test_server_refuses_what_is_no_avatar(tmp_path):
    bad = tmp_path / "bad.lifemask"
    bad.write_bytes(b"PK\x03\x04 no")
    for path in (bad, tmp_path / "missing.lifemask"):
        with pytest.raises(PackageError):
            Server(avatars=[path])


class LyingServer(AvatarServiceServicer):
    """Answers every download with given messages."""

    def __init__(self, *answers: pb.DownloadAvatarResponse) -> None:
        self.answers = answers
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        add_AvatarServiceServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(0).wait()

    def DownloadAvatar(self, request, context):
        yield from self.answers


def describe(data: bytes, **facts) -> pb.DownloadAvatarResponse:
    known = {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "avatar_id": "x"}
    return pb.DownloadAvatarResponse(avatar=pb.AvatarSummary(**{**known, **facts}))


def chunk(data: bytes) -> pb.DownloadAvatarResponse:
    return pb.DownloadAvatarResponse(chunk=data)


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [chunk(b"abc")],
        [describe(b"abc"), chunk(b"abd")],
        [describe(b"abc"), chunk(b"ab")],
        [describe(b"abc")],
        [describe(b"abc"), chunk(b"abc"), chunk(b"d")],
        [describe(b"abc"), *[chunk(b"x" * 60_000)] * 50],
        [describe(b"abc", sha256="A" * 64), chunk(b"abc")],
        [describe(b"", size_bytes=0)],
        [describe(b"abc", size_bytes=-3), chunk(b"abc")],
        [describe(b"abc", size_bytes=2**62), chunk(b"abc")],
        [describe(b"abc"), describe(b"abc"), chunk(b"abd")],
    ],
    ids=[
        "nothing", "no description", "other bytes", "too short", "no bytes", "too long",
        "endless", "wrong hash", "size zero", "negative size", "huge size", "two descriptions",
    ],
)  # fmt: skip
def test_damaged_downloads_leave_nothing_behind(answers, tmp_path):
    target = tmp_path / "x.lifemask"
    target.write_bytes(b"the old one")
    with (
        LyingServer(*answers) as server,
        Client(server.address) as client,
        pytest.raises(StreamError),
    ):
        client.download_avatar("x", target)
    assert target.read_bytes() == b"the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["x.lifemask"]


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/b", "..", "nul\x00", ""])
def test_names_from_a_server_choose_no_folder(name, tmp_path):
    data = b"abc"
    with LyingServer(describe(data), chunk(data)) as server, Client(server.address) as client:
        assert client.download_avatar(name, tmp_path) == tmp_path / "avatar.lifemask"
    assert [path.name for path in tmp_path.iterdir()] == ["avatar.lifemask"]
