"""Track the face in a video file, and build an avatar from it.

    python examples/video_file.py [FOLDER]

No video ships with lifemask, so one is filmed first: the demo avatar plays the built-in script.
That makes what was performed known, and the tracked values can be compared with it. Put the path
of a video of your own in place of `clip`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _demo_avatar import demo_package, output_folder

import lifemask
from lifemask.capture import VideoSource
from lifemask.geometry import VideoWriter, quaternion_matrix
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.rendering import Renderer, frame_head
from lifemask.tracking import TrackedPerformance

SECONDS, RATE_HZ, SIZE = 6.0, 12.0, 512


def main() -> None:
    """Film, track, build."""
    folder = output_folder()
    clip = folder / "clip.mp4"
    performed = film(lifemask.Avatar.load(demo_package(folder)), clip)

    tracked = list(TrackedPerformance(VideoSource(clip)).frames())
    print(f"tracked {len(tracked)} frames of {clip}")
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkLeft"):
        truth, found = (
            [frame.coefficients[COEFFICIENT_INDEX[name]] for frame in frames]
            for frames in (performed, tracked)
        )
        print(f"  {name}: correlation {np.corrcoef(truth, found)[0, 1]:.2f}")
    error = np.degrees([yaw(a) - yaw(b) for a, b in zip(performed, tracked, strict=True)])
    print(f"  head yaw: median error {np.median(np.abs(error)):.1f}°")

    package = folder / "video.lifemask"
    avatar = lifemask.build(clip, package, texture_size=1024)
    lifemask.render(avatar, folder / "video.png", size=384)
    print(f"wrote {package}, built from {avatar.manifest.metrics['pictures']} key frames")


def film(avatar: lifemask.Avatar, path: Path) -> list[lifemask.PerformanceFrame]:
    """Draw the script into a video; return what was performed."""
    script = lifemask.ScriptedPerformance(duration_seconds=SECONDS, rate_hz=RATE_HZ)
    frames = list(script.frames())
    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair)
    camera, pose = frame_head(avatar.head, SIZE, SIZE)
    with VideoWriter(path, SIZE, SIZE, RATE_HZ) as video:
        for frame in frames:
            video.write(renderer.render_frame(frame, pose=pose, camera=camera))
    return frames


def yaw(frame: lifemask.PerformanceFrame) -> float:
    """Return how far the head is turned to its own left, radians."""
    rotation = quaternion_matrix(frame.head_rotation)
    return float(np.arctan2(rotation[0, 2], rotation[2, 2]))


if __name__ == "__main__":
    main()
