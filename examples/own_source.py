"""Drive an avatar from a source of your own.

    python examples/own_source.py [FOLDER]

Anything with these attributes and two methods is a `PerformanceSource`: another tracker, a game,
a recording. This one smiles and nods in slow sine waves. It is served, received and drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from _demo_avatar import demo_package, output_folder

import lifemask
from lifemask.capture import all_channels_valid
from lifemask.geometry import axis_angle_matrix, matrix_quaternion
from lifemask.heads import COEFFICIENT_INDEX


class SlowSmile:
    """Smiles every two seconds, looks around every three."""

    name = "slow smile"
    rate_hz = 30.0
    live = False  # the server paces the frames; a camera would say True
    channel_names = lifemask.COEFFICIENT_NAMES
    channel_validity = all_channels_valid()

    def frames(self) -> Iterator[lifemask.PerformanceFrame]:
        """Yield three seconds."""
        for index in range(90):
            seconds = index / self.rate_hz
            smile = 0.5 - 0.5 * math.cos(2 * math.pi * seconds / 2.0)
            yaw = 0.35 * math.sin(2 * math.pi * seconds / 3.0)
            coefficients = np.zeros(len(self.channel_names), np.float32)
            for name in ("mouthSmileLeft", "mouthSmileRight"):
                coefficients[COEFFICIENT_INDEX[name]] = smile
            yield lifemask.PerformanceFrame(
                capture_time_nanos=round(seconds * 1e9),
                coefficients=coefficients,
                head_rotation=matrix_quaternion(axis_angle_matrix([0.0, yaw, 0.0])),
                head_translation=np.array([0.0, 0.0, -0.55]),
            )

    def close(self) -> None:
        """Release what the source holds: nothing."""


def main() -> None:
    """Stream the source and draw what arrives."""
    folder = output_folder()
    with lifemask.ServerThread([SlowSmile()], avatars=[demo_package(folder)]) as server:
        report = lifemask.watch(server.address, render=folder / "slow-smile.mp4")
    print(f"{report.frames} frames at {report.rate_hz:.1f} a second, {report.dropped} left out")
    print(f"wrote {report.video}")


if __name__ == "__main__":
    main()
