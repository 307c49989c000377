"""How well the tracker follows: jitter, lag, blinks and lips against hand marks, coefficients.

    python benchmarks/bench_tracking_quality.py               all
    python benchmarks/bench_tracking_quality.py marks lag     some of: jitter lag marks synthetic

Prints tables and writes nothing. `marks` needs the clips in `../shared/data/clips`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _driven import Driven, forehead_jitter, lag_frames, still, sweep, watch
from numpy.typing import NDArray

from lifemask.capture import PerformanceFrame, VideoSource
from lifemask.evaluation._marks import ClipMarks, Closure, score_marks
from lifemask.evaluation.synthetic import clip_b
from lifemask.geometry import Pose, matrix_axis_angle
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.tracking import (
    Calibration,
    FaceLandmarker,
    FrameSolution,
    FrameSolver,
    PerformanceSmoother,
    Performer,
    Smoothing,
    fit_performer,
    solve_clip,
)

FOLDER = Path(__file__).resolve().parent
CLIPS = FOLDER.parents[1] / "shared" / "data" / "clips"
SECONDS = 4.0
JITTER_MM = 0.1
LAG_FRAMES = 1.0
SYNTHETIC = (3, 24.0, (360, 640))
"""Seed, seconds and size of the synthetic Clip B."""


def main() -> None:
    """Parse the command line and print the tables."""
    parts = {"jitter": jitter, "lag": lag, "marks": marks, "synthetic": synthetic}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(parts))
    for name in parser.parse_args().names or list(parts):
        if name not in parts:
            parser.error(f"no such part: {name}")
        print(f"\n## {name}\n")
        parts[name]()


def jitter() -> None:
    """Print how far the forehead of a still head moves."""
    clip = watch(still(SECONDS))
    performer, live, offline = _solved(clip)
    neutral = performer.shape.neutral
    rows = {
        "frame by frame": [one.pose for one in live],
        "live, default filter": [_pose(frame) for frame in _smoothed(live)],
        "offline": [one.pose for one in offline],
    }
    for name, poses in rows.items():
        limit = f" (limit {JITTER_MM})" if "live" in name else ""
        print(f"forehead, {name}: {forehead_jitter(neutral, poses):.3f} mm RMS{limit}")


def lag() -> None:
    """Print by how many frames yaw, pitch and jaw come late, by quarter of a 1 to 5 Hz sweep."""
    for name in ("yaw", "pitch", "jaw"):
        clip = watch(sweep(name, SECONDS))
        _, live, offline = _solved(clip)
        frames = _smoothed(live)
        found = {
            "live": _signal(name, [_pose(f) for f in frames], [f.coefficients for f in frames]),
            "offline": _signal(name, [o.pose for o in offline], [o.coefficients for o in offline]),
        }
        true = _truth(name, clip)
        for mode, signal in found.items():
            quarters = np.array_split(np.arange(len(clip)), 4)
            lags = [lag_frames(true[q], signal[q]) for q in quarters]
            limit = f" (limit {LAG_FRAMES})" if mode == "live" else ""
            text = ", ".join(f"{value:+.2f}" for value in lags)
            gain = np.polyfit(true, signal, 1)[0]
            print(f"{name}, {mode}: {text} frames{limit}; amplitude {gain:.2f}")


def marks() -> None:
    """Print recall and false share of closed eyes and lips, by clip and together."""
    parts: dict[str, list[Closure]] = {}
    for path in sorted((FOLDER / "marks").glob("*.json")):
        clip = CLIPS / f"{path.stem}.mp4"
        if not clip.is_file():
            print(f"{clip.name} is not there")
            continue
        source = VideoSource(clip, start_time_nanos=0)
        with FaceLandmarker() as landmarker:
            faces = [landmarker.track(f.image, f.capture_time_nanos / 1e9) for f in source.frames()]
        performer = fit_performer(faces)
        solutions = solve_clip(faces, performer, rate_hz=source.rate_hz)
        for name, one in score_marks(solutions, performer.shape, ClipMarks.load(path)).items():
            parts.setdefault(name, []).append(one)
            _print_closure(f"{path.stem}, {name}", one)
    for name, each in parts.items():
        _print_closure(f"all, {name}", Closure.pooled(each))


def synthetic() -> None:
    """Print how coefficients agree with the truth of a synthetic Clip B."""
    seed, seconds, size = SYNTHETIC
    clip = clip_b(seed, seconds=seconds, size=size)
    with FaceLandmarker(max_faces=1) as landmarker:
        faces = [landmarker.track(clip.frame(i), i / clip.rate_hz) for i in range(len(clip))]
    solutions = solve_clip(faces, fit_performer(faces), rate_hz=clip.rate_hz)
    seen = [i for i, one in enumerate(solutions) if one is not None]
    found = np.array([one.coefficients for one in solutions if one is not None])
    truth = clip.truth.coefficients[seen].astype(np.float64)
    calibration = Calibration.from_clip(solutions)
    _print_agreement("as solved", truth, found)
    _print_agreement("calibrated", truth, calibration(found))
    reach = np.percentile(found, 99, axis=0) - calibration.offsets
    text = ", ".join(f"{n} {r:.2f}" for n, r in zip(COEFFICIENT_NAMES, reach, strict=True))
    print(f"range above rest, 99th percentile: {text}")


def _print_agreement(title: str, truth: NDArray[np.float64], found: NDArray[np.float64]) -> None:
    shown = [
        i
        for i, name in enumerate(COEFFICIENT_NAMES)
        if truth[:, i].std() > 0.01 and not name.startswith("eyeLook") and name != "tongueOut"
    ]
    error, rest = np.abs(found - truth).mean(axis=0), truth.mean(axis=0)
    r = np.array([np.corrcoef(truth[:, i], found[:, i] + 1e-9 * truth[:, i])[0, 1] for i in shown])
    better = sum(error[i] < rest[i] for i in shown)
    print(
        f"{title}: mean error {error[shown].mean():.4f} (always neutral {rest[shown].mean():.4f}), "
        f"better on {better} of {len(shown)}, r median {np.median(r):.2f}, "
        f"{(r >= 0.9).sum()} channels from 0.9"
    )
    for place in np.argsort(-r):
        i = shown[place]
        name = COEFFICIENT_NAMES[i]
        print(f"  {name}: r {r[place]:.2f}, error {error[i]:.3f} of {rest[i]:.3f}")


def _print_closure(name: str, one: Closure) -> None:
    print(
        f"{name}: recall {100 * one.recalled:.1f} % of {one.marked}, "
        f"false {100 * one.false:.1f} % of {one.reported}"
    )


def _solved(clip: Driven) -> tuple[Performer, list[FrameSolution], list[FrameSolution]]:
    performer = fit_performer(clip.faces)
    solver = FrameSolver(performer.shape, performer.camera)
    live = [solver.solve(face) for face in clip.faces]
    offline = [one for one in solve_clip(clip.faces, performer) if one is not None]
    return performer, live, offline


def _smoothed(solutions: list[FrameSolution]) -> list[PerformanceFrame]:
    smoother = PerformanceSmoother(Smoothing())
    return [
        smoother(one.performance_frame(1 + round(index * 1e9 / 30)))
        for index, one in enumerate(solutions)
    ]


def _pose(frame: PerformanceFrame) -> Pose:
    rotation = frame.head_rotation.astype(np.float64)
    return Pose.from_quaternion(rotation, frame.head_translation.astype(np.float64))


def _signal(
    name: str, poses: list[Pose], coefficients: list[NDArray[np.floating]]
) -> NDArray[np.float64]:
    if name == "jaw":
        return np.array([values[COEFFICIENT_INDEX["jawOpen"]] for values in coefficients])
    axis = ("pitch", "yaw").index(name)
    return np.array([matrix_axis_angle(pose.rotation)[axis] for pose in poses])


def _truth(name: str, clip: Driven) -> NDArray[np.float64]:
    if name == "jaw":
        return clip.coefficients[:, COEFFICIENT_INDEX["jawOpen"]]
    return clip.turns[:, ("pitch", "yaw").index(name)]


if __name__ == "__main__":
    main()
