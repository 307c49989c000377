"""How long it takes, and how much memory, from a photo or a clip to an avatar package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _report import Measurement, publish, repeat

import lifemask
from lifemask.avatar._capture_parallel import observe_clip
from lifemask.geometry import VideoWriter, read_image, resize_image

PHOTO_SECONDS = 15.0
CLIP_SECONDS = 180.0
NETWORK_SECONDS = 600.0
MEBIBYTES = 4096.0
CLIP_FRAMES = 300
LONG_FRAMES = 1200
PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
REAL_CLIP = Path(__file__).resolve().parents[2] / "shared" / "data" / "clips" / "d9.mp4"
FRESH = """
import json, sys, lifemask
said = []
frames = {0: range(int(sys.argv[3]))} if int(sys.argv[3]) else None
network = sys.argv[4] == "network"
lifemask.build([sys.argv[1]], sys.argv[2], frames=frames, network=network, summary=said.append)
print(json.dumps(said[0].to_dict()))
"""


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["LIFEMASK_CACHE"] = str(place / "cache")
        rows = [*_photo(place), *_clip(place), *_together(place)]
    kind = "a real clip" if REAL_CLIP.is_file() else "a clip made of the demo portrait"
    remarks = (
        f"Photo: one portrait of 1024 × 1024 pixels. Clip: the first {CLIP_FRAMES} frames, 10 s, "
        f"of {kind}, 480 lines. Default texture sizes, a new process each with imports; the very "
        "first run on a machine also compiles functions and is not counted. Memory: largest "
        "resident size of the process; what helping processes take comes on top. With the texture "
        "network: the plain build and the training that follows from its cache, added up. "
        f"Landmarks of a long clip: {LONG_FRAMES} frames of 512 × 512 pixels."
    )
    publish("Build", rows, remarks=remarks)


def _photo(place: Path) -> list[Measurement]:
    package, glb = place / "a.lifemask", place / "a.glb"
    _run(PORTRAIT, package, 0)
    runs = [_run(PORTRAIT, package, 0) for _ in range(3)]
    same = repeat(lambda: lifemask.build([PORTRAIT], package), times=3, scale=1.0)
    export = repeat(lambda: lifemask.export(package, glb), times=3, scale=1.0)
    wall = [run["wall"] for run in runs]
    return [
        Measurement("photo to package, new process", wall, "s", PHOTO_SECONDS),
        Measurement("photo to package, same process", same, "s", PHOTO_SECONDS),
        *_stages("photo", runs),
        Measurement("photo: memory", [run["peak_mebibytes"] for run in runs], "MiB", MEBIBYTES),
        Measurement("package to glTF", export, "s"),
    ]


def _clip(place: Path) -> list[Measurement]:
    path = REAL_CLIP if REAL_CLIP.is_file() else _film(place / "clip.mp4", CLIP_FRAMES)
    package = place / "b.lifemask"
    run = _run(path, package, CLIP_FRAMES)
    again = _run(path, package, CLIP_FRAMES)
    learnt = _run(path, package, CLIP_FRAMES, network=True)
    training = [one for one in learnt["stages"] if "network" in one["stage"]]
    return [
        Measurement("10 s clip to package", [run["wall"]], "s", CLIP_SECONDS),
        *_stages("10 s clip", [run]),
        Measurement("10 s clip: memory", [run["peak_mebibytes"]], "MiB", MEBIBYTES),
        Measurement("10 s clip once more, from the cache", [again["wall"]], "s"),
        Measurement(
            "10 s clip to package with texture network",
            [run["wall"] + learnt["wall"]], "s", NETWORK_SECONDS,
        ),
        *_stages("10 s clip", [{"stages": training}]),
        Measurement("10 s clip, network: memory", [learnt["peak_mebibytes"]], "MiB", MEBIBYTES),
    ]  # fmt: skip


def _together(place: Path) -> list[Measurement]:
    path = _film(place / "long.mp4", LONG_FRAMES)
    observe_clip(path, limit=range(30), workers=1)
    alone, together = (
        repeat(lambda n=n: observe_clip(path, workers=n), times=1, warm_up=0, scale=1.0)
        for n in (1, 2)
    )
    return [
        Measurement("landmarks of a long clip, one process", alone, "s"),
        Measurement("landmarks of a long clip, two processes", together, "s"),
    ]


def _run(path: Path, package: Path, frames: int, *, network: bool = False) -> dict[str, Any]:
    """Build in a new process; return its report and the wall time in seconds."""
    kind = "network" if network else "plain"
    command = [sys.executable, "-c", FRESH, str(path), str(package), str(frames), kind]
    start = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    wall = time.perf_counter() - start
    return json.loads(done.stdout.splitlines()[-1]) | {"wall": wall}


def _stages(what: str, runs: list[dict[str, Any]]) -> list[Measurement]:
    rows = []
    for number, stage in enumerate(runs[0]["stages"]):
        values = [run["stages"][number]["seconds"] for run in runs]
        name = stage["stage"].split(" in ")[0] if " in " in stage["stage"] else stage["stage"]
        rows.append(Measurement(f"{what}: {name}", values, "s"))
    return rows


def _film(path: Path, count: int) -> Path:
    """Write a clip in which the portrait sways."""
    image = resize_image(read_image(PORTRAIT), 512, 512)
    with VideoWriter(path, 512, 512, 30.0) as video:
        for index in range(count):
            shift = 10 * np.sin(0.05 * index)
            matrix = np.array([[1.0, 0, shift], [0, 1.0, 0.5 * shift]])
            moved = cv2.warpAffine(image, matrix, (512, 512), borderMode=cv2.BORDER_REFLECT)
            video.write(np.asarray(moved, np.uint8))
    return path


if __name__ == "__main__":
    main()
