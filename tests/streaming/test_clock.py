"""Time stamps of both ends, and what they say about each other."""

from __future__ import annotations

import pytest

from lifemask.streaming import Client, ClockOffset, ServerThread
from lifemask.streaming import _client as client_module
from lifemask.streaming import _performance_service as service_module
from stream_helpers import LiveSource, ShiftedTime


@pytest.fixture(scope="module")
def server():
    with ServerThread([LiveSource()]) as running:
        yield running


def test_one_machine_has_one_clock(server):
    with Client(server.address) as client:
        clock = client.synchronize_clock()
    assert 0 < clock.round_trip_nanos < 20_000_000
    assert abs(clock.offset_nanos) <= clock.round_trip_nanos / 2 + 1_000_000


@pytest.mark.parametrize("shift", [3_600_000_000_000, -7_000_000_000, 250_000_000])
def test_offset_is_server_minus_client(server, monkeypatch, shift):
    monkeypatch.setattr(service_module, "time", ShiftedTime(shift))
    with Client(server.address) as client:
        clock = client.synchronize_clock()
    assert clock.offset_nanos == pytest.approx(shift, abs=clock.round_trip_nanos / 2 + 1_000_000)


def test_offset_follows_the_four_stamps(server, monkeypatch):
    stamps = iter([100, 180])
    monkeypatch.setattr(client_module, "time", type("T", (), {"time_ns": lambda: next(stamps)}))
    service = iter([1_030, 1_050])
    monkeypatch.setattr(service_module, "time", type("T", (), {"time_ns": lambda: next(service)}))
    with Client(server.address) as client:
        clock = client.synchronize_clock(exchanges=1)
    assert clock.offset_nanos == ((1_030 - 100) + (1_050 - 180)) // 2
    assert clock.round_trip_nanos == (180 - 100) - (1_050 - 1_030)


def test_fastest_exchange_counts(server, monkeypatch):
    exchanges = iter([ClockOffset(5, 900), ClockOffset(7, 300), ClockOffset(9, 301)])
    with Client(server.address) as client:
        monkeypatch.setattr(client, "_exchange", lambda: next(exchanges))
        assert client.synchronize_clock(exchanges=3) == ClockOffset(7, 300)
    assert next(exchanges, None) is None
