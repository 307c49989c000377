"""`serve`, its sources, and the two commands."""

from __future__ import annotations

import _thread
import json
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from lifemask import AddressInUseError, ImageError, PackageError, SourceError, VideoError, serve
from lifemask._demo import PORTRAIT
from lifemask.avatar import Avatar
from lifemask.capture import TrackingState
from lifemask.cli._app import run
from lifemask.geometry import VideoWriter, read_image, resize_image, write_image
from lifemask.streaming import Client, ServerThread, open_source, watch
from stream_helpers import ListSource, LiveSource, random_frames
from synthetic import make_head


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    path = tmp_path_factory.mktemp("package") / "ada.lifemask"
    Avatar("Ada", make_head(), {}).save(path, glb=False)
    return path


class Visitor(threading.Thread):
    """Does something with a server as soon as it takes calls; keeps what came of it."""

    def __init__(self, visit) -> None:
        super().__init__()
        self.visit, self.result, self.server = visit, None, None

    def __call__(self, server) -> None:
        self.server = server
        self.start()

    def run(self) -> None:
        self.result = self.visit(self.server)


def test_serving_once_ends_when_all_have_left(package):
    visitor = Visitor(lambda server: watch(server.address))
    source = ListSource(random_frames(30))
    serve(package, source, "127.0.0.1:0", once=True, ready=visitor)
    visitor.join()
    assert (visitor.result.frames, visitor.result.end) == (30, "source_ended")
    assert source.closed.is_set()


def test_recording_is_repeated_until_ctrl_c(package):
    def visit(server):
        try:
            report = watch(server.address, frames=25)
            with Client(server.address) as client:
                return report, client.avatars()[0].display_name
        finally:
            _thread.interrupt_main()

    visitor = Visitor(visit)
    serve(package, ListSource(random_frames(10)), "127.0.0.1:0", ready=visitor)
    visitor.join()
    report, name = visitor.result
    assert (report.frames, name) == (25, "Ada")


def test_ready_message_goes_to_the_error_stream(capsys):
    source = ListSource(random_frames(2), name="ada")

    def leave():
        deadline = time.monotonic() + 10
        while "serving" not in capsys_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        _thread.interrupt_main()

    seen = []

    def capsys_text() -> str:
        seen.append(capsys.readouterr().err)
        return "".join(seen)

    threading.Thread(target=leave).start()
    serve(None, source, "127.0.0.1:0", token="s3cret")
    text = "".join(seen) + capsys.readouterr().err
    assert "serving ada at 127.0.0.1:" in text
    assert text.count("s3cret") == 1


def test_source_is_closed_when_serving_is_impossible(package, tmp_path):
    with ServerThread([LiveSource()]) as other:
        for avatar, address, error in (
            (package, other.address, AddressInUseError),
            (tmp_path / "no.lifemask", "127.0.0.1:0", PackageError),
        ):
            source = LiveSource()
            with pytest.raises(error):
                serve(avatar, source, address)
            assert source.closed.is_set()


@pytest.mark.parametrize(
    "spec",
    ["", "scripts", "script:", "video", "video:", "webcam:", "webcam:x", "webcam:-1", "ftp:x"],
)
def test_words_that_are_no_source(spec):
    with pytest.raises(SourceError) as caught:
        open_source(spec)
    assert "video:PATH" in caught.value.hint


@pytest.mark.parametrize(("kind", "error"), [("video", VideoError), ("image", ImageError)])
def test_files_that_are_no_source(kind, error, tmp_path):
    (tmp_path / "text").write_text("not a picture", encoding="utf-8")
    for name in ("missing", "text"):
        with pytest.raises(error):
            open_source(f"{kind}:{tmp_path / name}")


def test_script():
    source = open_source("script")
    assert (source.name, source.live) == ("script", False)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The portrait, slowly moving: a second and a half at 16 frames a second."""
    path = tmp_path_factory.mktemp("clip") / "moving.mp4"
    portrait = resize_image(read_image(PORTRAIT), 400, 400)
    with VideoWriter(path, 360, 360, 16.0) as video:
        for index in range(24):
            video.write(portrait[20:380, index : index + 360])
    return path


@pytest.mark.needs("landmarker")
def test_video_streams_at_its_own_rate(clip):
    with ServerThread([open_source(f"video:{clip}")]) as server:
        with Client(server.address) as client, client.frames(credits=8) as stream:
            received = list(stream)
        assert stream.header.channel_validity[-1] is False
    assert stream.header.subject == "moving"
    assert len(received) == 24
    captured = np.array([one.frame.capture_time_nanos for one in received]) / 1e9
    assert np.median(np.diff(captured)) == pytest.approx(1 / 16, abs=0.002)
    assert captured[-1] - captured[0] == pytest.approx(23 / 16, abs=0.15)
    assert all(one.frame.tracking_state is TrackingState.TRACKED for one in received)
    places = np.array([one.frame.head_translation for one in received])
    # The cut-out moves to the right, so the head moves to the left.
    assert places[-1, 0] < places[0, 0] - 0.005
    assert places[:, 2].max() < -0.2


@pytest.mark.needs("landmarker")
def test_picture_is_held_at_a_steady_rate():
    with ServerThread([open_source(f"image:{PORTRAIT}")]) as server:
        report = watch(server.address, frames=20)
    assert (report.subject, report.without_face) == ("portrait", 0)
    assert report.source_rate_hz == 30.0
    assert report.rate_hz == pytest.approx(30.0, rel=0.2)


@pytest.mark.needs("landmarker")
@pytest.mark.parametrize("kind", ["video", "image"])
def test_source_without_a_face_ends_with_the_reason(kind, tmp_path):
    grey = np.full((240, 320, 3), 128, np.uint8)
    path = tmp_path / ("grey.mp4" if kind == "video" else "grey.png")
    if kind == "image":
        write_image(path, grey)
    else:
        with VideoWriter(path, 320, 240, 20.0) as video:
            for _ in range(5):
                video.write(grey)
    with ServerThread([open_source(f"{kind}:{path}")]) as server, Client(server.address) as client:
        stream = client.frames()
        assert list(stream) == []
    assert stream.end.reason == "source_failed"
    assert "no face" in stream.end.message


def test_watch_command(capsys, monkeypatch):
    monkeypatch.setattr("lifemask.streaming._watch.STATUS_SECONDS", 0.1)
    with ServerThread([LiveSource(name="ada")]) as server:
        assert run(["watch", server.address, "--frames", "30"]) == 0
    out = capsys.readouterr()
    assert out.out.startswith("ada: 30 frames, ")
    assert " fps, latency " in out.out and "ended: limit" in out.out
    assert "note: ada: " in out.err


def test_watch_command_as_json(capsys):
    with ServerThread([LiveSource(name="ada")], token="s3cret") as server:
        words = ["watch", server.address, "--subject", "ada", "--seconds", "0.3", "--json"]
        assert run([*words, "--token", "s3cret", "--quiet"]) == 0
        report = json.loads(capsys.readouterr().out)
        assert (report["subject"], report["end"], report["video"]) == ("ada", "limit", None)
        assert report["latency_p50_seconds"] < 0.1
        assert run([*words, "--token", "wrong"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "stream" and "token" in error["hint"]


def test_watch_command_draws(capsys, package, tmp_path):
    video = tmp_path / "out.mp4"
    with ServerThread([LiveSource(rate_hz=10.0)], avatars=[package]) as server:
        assert run(["watch", server.address, "--frames", "3", "--render", str(video)]) == 0
    assert video.stat().st_size > 1000
    assert f"video: {video}\nconsent unset" in capsys.readouterr().out


@pytest.mark.parametrize("face", ["middle", "0", "-1", "1.5", ""])
def test_serve_command_refuses_strange_faces(face, capsys):
    assert run(["serve", "--face", face]) == 2
    assert "--face" in capsys.readouterr().err


def test_serve_command_reports_a_taken_port(capsys):
    with ServerThread([LiveSource()]) as other:
        assert run(["serve", "--address", other.address]) == 1
    assert "is taken" in capsys.readouterr().err


def test_serve_command(package):
    command = [sys.executable, "-m", "lifemask.cli", "serve", str(package), "--json"]
    with subprocess.Popen(
        [*command, "--address", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            text = ""
            while not text.endswith("}\n"):
                line = process.stdout.readline()
                assert line, "the server ended"
                text += line
            started = json.loads(text)
            assert (started["subjects"], started["token"]) == (["script"], None)
            report = watch(started["address"], frames=60)
            assert report.rate_hz == pytest.approx(60.0, rel=0.2)
        finally:
            process.kill()
