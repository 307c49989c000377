"""Receive a live performance, frame after frame, in a loop of your own.

    python examples/live_watch.py [FOLDER]

A server runs in a thread of this program and plays the built-in script. `lifemask serve` in
another terminal does the same for a webcam: give its address to `Client` and drop the server.
"""

from __future__ import annotations

import csv

from _demo_avatar import output_folder

import lifemask

SHOWN = ("jawOpen", "mouthSmileLeft", "eyeBlinkLeft", "browInnerUp")
COLUMNS = [lifemask.COEFFICIENT_NAMES.index(name) for name in SHOWN]


def main() -> None:
    """Print some coefficients and keep all of them in a table."""
    path = output_folder() / "live.csv"
    script = lifemask.ScriptedPerformance(duration_seconds=3.0, rate_hz=30.0)
    with (
        lifemask.ServerThread([script]) as server,
        lifemask.Client(server.address) as client,
        client.frames() as frames,
        path.open("w", newline="", encoding="utf-8") as file,
    ):
        # Capture times are the server's clock; this is how far it is ahead of ours.
        clock = client.synchronize_clock()
        table = csv.writer(file)
        table.writerow(["sequence", "capture_time_nanos", *lifemask.COEFFICIENT_NAMES])
        for received in frames:
            frame = received.frame
            captured = frame.capture_time_nanos - clock.offset_nanos
            latency = (received.receive_time_nanos - captured) / 1e6
            table.writerow([received.sequence, frame.capture_time_nanos, *frame.coefficients])
            if received.sequence % 10 == 1:
                values = "  ".join(
                    f"{name} {frame.coefficients[column]:.2f}"
                    for name, column in zip(SHOWN, COLUMNS, strict=True)
                )
                print(f"{received.sequence:4d}  {latency:5.1f} ms  {values}")
        print(f"the stream is over ({frames.end.reason}), {frames.dropped} frames were left out")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
