"""How late frames come through the server: alone, and among 32 listeners of whom one is slow.

The server runs in a process of its own and plays the built-in performance at 60 frames a second.
Delay is the time from the instant at which a frame was due to the instant at which a listener
holds it; both clocks are those of this machine.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from _report import Measurement, percentile, publish

from lifemask.v1 import performance_service_pb2 as pb
from lifemask.v1.performance_service_pb2_grpc import PerformanceServiceStub

SECONDS = 20.0
SETTLE_SECONDS = 2.0
LISTENERS = 32
SLOW_PAUSE_SECONDS = 0.1
MEDIAN_BUDGET = 1.0
TAIL_BUDGET = 8.0
SLOW_AGE_BUDGET = 150.0

SERVER = """
import time
from lifemask.capture import ScriptedPerformance
from lifemask.streaming import ServerThread

with ServerThread([ScriptedPerformance()]) as server:
    print(server.address, flush=True)
    while input() == "cpu":
        print(time.process_time(), flush=True)
"""


class Listener:
    """One connection with two credits; `samples` are (seconds since start, delay in ms)."""

    def __init__(self, address: str, pause: float = 0.0) -> None:
        self.address, self.pause = address, pause
        self.samples: list[tuple[float, float]] = []

    async def run(self, seconds: float) -> None:
        """Take frames for some time."""
        # A pool of its own gives every listener its own connection, as in reality.
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            call = PerformanceServiceStub(channel).StreamFrames()
            await call.write(
                pb.StreamFramesRequest(start=pb.StreamStart(subject="script", initial_credits=2))
            )
            begun = time.monotonic()
            while (elapsed := time.monotonic() - begun) < seconds:
                response = await call.read()
                if response.WhichOneof("response") != "frame":
                    continue
                delay = (time.time_ns() - response.frame.capture_time_nanos) / 1e6
                self.samples.append((elapsed, delay))
                if self.pause:
                    await asyncio.sleep(self.pause)
                await call.write(pb.StreamFramesRequest(credit=pb.StreamCredit(count=1)))
            call.cancel()

    def delays(self, begin: float, end: float) -> list[float]:
        """Delays of the frames that came within an interval, milliseconds."""
        return [delay for elapsed, delay in self.samples if begin <= elapsed < end]


def main() -> None:
    """Measure and publish."""
    with server() as process:
        alone, _ = measure(process, 1)
    with server() as process:
        crowd, share = measure(process, LISTENERS)
    *fast, slow = crowd
    rows = [
        *delay_rows("1 listener", alone),
        *delay_rows(f"{LISTENERS - 1} of {LISTENERS} listeners", fast),
        Measurement(
            "age of what the slow listener gets, first quarter",
            slow.delays(SETTLE_SECONDS, SETTLE_SECONDS + SECONDS / 4),
            "ms",
            SLOW_AGE_BUDGET,
        ),
        Measurement(
            "the same, last quarter",
            slow.delays(SETTLE_SECONDS + 0.75 * SECONDS, SETTLE_SECONDS + SECONDS),
            "ms",
            SLOW_AGE_BUDGET,
        ),
        Measurement(f"server, {LISTENERS} listeners, share of one core", [100 * share], "%"),
    ]
    publish("Server", rows, remarks=REMARKS)


REMARKS = (
    f"Frames at 60 a second for {SECONDS:g} s over loopback, two credits a listener; all listeners "
    f"share one process, whose own delay counts too. The slow one, the {LISTENERS}nd, pauses "
    f"{SLOW_PAUSE_SECONDS * 1e3:g} ms after each frame. Tail rows hold the 99th percentile of "
    "each second."
)


def delay_rows(name: str, listeners: list[Listener]) -> list[Measurement]:
    """Return the rows with the median delay and with the tail."""
    end = SETTLE_SECONDS + SECONDS
    everything = [d for one in listeners for d in one.delays(SETTLE_SECONDS, end)]
    tails = []
    for second in range(round(SECONDS)):
        begin = SETTLE_SECONDS + second
        values = [d for one in listeners for d in one.delays(begin, begin + 1)]
        tails.append(percentile(values, 99))
    return [
        Measurement(f"delay, {name}", everything, "ms", MEDIAN_BUDGET if "1 l" in name else None),
        Measurement(f"tail of the delay, {name}", tails, "ms", TAIL_BUDGET),
    ]


def measure(process: subprocess.Popen[str], count: int) -> tuple[list[Listener], float]:
    """Return the listeners after they have run, and the server's share of one core."""
    address = answer(process)
    listeners = [Listener(address) for _ in range(count)]
    if count > 1:
        listeners[-1].pause = SLOW_PAUSE_SECONDS

    async def run() -> float:
        tasks = [one.run(SETTLE_SECONDS + SECONDS) for one in listeners]
        work = asyncio.gather(*tasks)
        await asyncio.sleep(SETTLE_SECONDS)
        before, begun = cpu_seconds(process), time.monotonic()
        await asyncio.sleep(0.9 * SECONDS)
        share = (cpu_seconds(process) - before) / (time.monotonic() - begun)
        await work
        return share

    share = asyncio.run(run())
    return listeners, share


def cpu_seconds(process: subprocess.Popen[str]) -> float:
    """Ask the server how much processor time it has used."""
    assert process.stdin is not None
    process.stdin.write("cpu\n")
    process.stdin.flush()
    return float(answer(process))


def answer(process: subprocess.Popen[str]) -> str:
    """Return the next line that the server prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextmanager
def server() -> Iterator[subprocess.Popen[str]]:
    """Run a server process; it ends with the block."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", SERVER], text=True, **pipes) as process:
        yield process
        assert process.stdin is not None
        process.stdin.write("end\n")


if __name__ == "__main__":
    main()
