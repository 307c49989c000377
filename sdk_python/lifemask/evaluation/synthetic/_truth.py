"""The known answers that go with synthetic pictures, in memory and as one array file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lifemask._files import write_bytes
from lifemask.geometry import Camera, Pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head


@dataclass(frozen=True)
class Truth:
    """What is known about the frames of a synthetic clip, or about one picture (n = 1).

    Attributes:
        head: Geometry of the person, with personal shapes.
        identity: `(n_modes,)` of the head model; the head may have more than these say.
        albedo: `(size, size, 4)` uint8 sRGB in the head's atlas, without any light.
        camera: Of all frames.
        times: `(n,)` seconds.
        coefficients: `(n, 52)` in [0, 1].
        gaze: `(n, 4)` rad: left yaw, left pitch, right yaw, right pitch, head frame.
        rotations: `(n, 3, 3)` head frame to camera frame.
        translations: `(n, 3)` m.
        light: `(lamps + 2, 6)`: direction and linear colour of each lamp (camera frame), then sky
            and ground with zero directions.
    """

    head: Head
    identity: NDArray[np.float32]
    albedo: NDArray[np.uint8]
    camera: Camera
    times: NDArray[np.float64]
    coefficients: NDArray[np.float32]
    gaze: NDArray[np.float32]
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    light: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.times)

    def pose(self, frame: int = 0) -> Pose:
        """Return the head's pose in a frame."""
        return Pose(self.rotations[frame], self.translations[frame])

    def vertices(self, frame: int = 0) -> NDArray[np.float32]:
        """Return `(n_vertices, 3)` m, head frame; the neck is drawn bent, and is not here."""
        return self.head.vertices(self.coefficients[frame], gaze=self.gaze[frame])

    def landmarks(self, frame: int = 0) -> NDArray[np.float64]:
        """Return where the head's own 478 landmarks fall in a frame, `(478, 2)` pixels."""
        points = self.head.landmarks(self.vertices(frame)).astype(np.float64)
        return np.asarray(self.camera.project(self.pose(frame).apply(points)), np.float64)

    def save(self, path: str | Path) -> None:
        """Write the arrays as NPZ: those of the frames, `neutral`, `expression_deltas`, albedo."""
        camera = self.camera
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            times_seconds=self.times,
            coefficients=self.coefficients,
            gaze=self.gaze,
            rotations=self.rotations,
            translations=self.translations,
            camera=np.array([camera.width, camera.height, camera.focal, *camera.principal_point]),
            identity=self.identity,
            neutral=self.head.neutral,
            joints=self.head.joints,
            expression_deltas=self.head.expression_deltas,
            faces=self.head.topology.faces,
            albedo=self.albedo,
            light=self.light,
        )
        write_bytes(Path(path), buffer.getvalue())
