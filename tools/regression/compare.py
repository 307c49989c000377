"""Compare the solver, both regression models, their mix and MediaPipe's scores; one command.

    python tools/regression/compare.py --cache out/regression [--write]

On synthetic people who were not trained on (Clip B, the real landmarker in the loop) the truth is
known; on the clips of `../shared/data/clips`, if they are there, lids and lips were marked by hand
and the offline solver is the reference. With `--write` the tables go into `docs/regression.md`.
Takes about six minutes on one core; `--cache` keeps what the landmarker and the solver said.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from lifemask.capture import VideoSource
from lifemask.evaluation._marks import BLINK_COEFFICIENT, JAW_DROP, ClipMarks, Closure
from lifemask.evaluation.synthetic._channels import CoefficientErrors, lag_frames
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX
from lifemask.rigging import (
    BlendshapeRegressor,
    FaceRegressor,
    ImageRegression,
    LiveRegression,
    adapt_regressor,
    image_model_bytes,
    regression_model_bytes,
)
from lifemask.rigging._regressor_adapt import resting
from lifemask.tracking import Calibration
from regression.observe import Observed, observe, observe_still, observe_synthetic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Answers = NDArray[np.float32]

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs" / "regression.md"
MARKS: Final = ROOT / "benchmarks" / "marks"
CLIPS: Final = ROOT.parent / "shared" / "data" / "clips"
BEGIN, END = "<!-- compare.py -->", "<!-- /compare.py -->"

PEOPLE: Final = (3, 11)
"""Seeds of the synthetic people; training begins at 20,000."""

_SECONDS: Final = 24.0
_STILL_SECONDS: Final = 2.0
_SHOWN: Final = (
    "solver, offline", "MediaPipe's scores", "landmarks, calibrated", "landmarks, adapted",
    "image, calibrated", "both, calibrated",
)  # fmt: skip
"""Methods in the table of channels."""

_BLOCK: Final = 60
"""Frames of the blocks that the adapted model is fitted on and judged on in turn."""

_LATE: Final = ("jawOpen", "mouthPucker", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp")
_BLINKS: Final = [COEFFICIENT_INDEX[f"eyeBlink{side}"] for side in ("Left", "Right")]
_JAW, _CLOSE = COEFFICIENT_INDEX["jawOpen"], COEFFICIENT_INDEX["mouthClose"]


@dataclass
class Method:
    """One way to coefficients, and what it gave.

    Attributes:
        title: Name in the tables.
        answer: Gives `(n, 56)`, coefficients and gaze, of a clip.
        size: Bytes of its network.
        answers: By clip.
        milliseconds: Of CPU for one frame, beside the landmarker's.
    """

    title: str
    answer: Callable[[Observed], Answers]
    size: int = 0
    answers: dict[str, Answers] = field(default_factory=dict)
    milliseconds: float = 0.0

    def run(self, clips: dict[str, Observed]) -> None:
        """Fill `answers` and `milliseconds`."""
        frames = sum(len(clip.points) for clip in clips.values())
        start = time.process_time()
        self.answers = {name: self.answer(clip) for name, clip in clips.items()}
        self.milliseconds = 1000 * (time.process_time() - start) / frames


def methods() -> list[Method]:
    """Return all methods in the order of the tables."""
    landmark, image = len(regression_model_bytes()), len(image_model_bytes())
    return [
        Method("solver, offline", lambda clip: _with_gaze(clip.offline, clip.gaze)),
        Method("solver, live", lambda clip: _with_gaze(clip.live)),
        Method("solver, live, calibrated", _calibrated_solver),
        Method("MediaPipe's scores", lambda clip: _with_gaze(clip.scores)),
        Method("landmarks, stranger", lambda clip: _landmarks(clip, known=False), landmark),
        Method("landmarks, calibrated", lambda clip: _landmarks(clip, known=True), landmark),
        Method("landmarks, adapted", _adapted, landmark),
        Method("image, stranger", lambda clip: _image(clip, known=False), image),
        Method("image, calibrated", lambda clip: _image(clip, known=True), image),
        Method("both, stranger", lambda clip: _both(clip, known=False), landmark + image),
        Method("both, calibrated", lambda clip: _both(clip, known=True), landmark + image),
        Method("solver, live, with both", _live_mix, landmark + image),
    ]


def _with_gaze(values: Answers, gaze: Answers | None = None) -> Answers:
    angles = np.full((len(values), 4), np.nan, np.float32) if gaze is None else gaze
    return np.concatenate([values, angles], axis=1)


def _calibrated_solver(clip: Observed) -> Answers:
    """Calibrate the live solver as a build does, with the offline one."""

    class _Solved:
        def __init__(self, coefficients: Answers) -> None:
            self.coefficients = coefficients.astype(np.float64)

    calibration = Calibration.from_clip([_Solved(row) for row in clip.offline])  # type: ignore
    return _with_gaze(calibration(clip.live).astype(np.float32))


def _each(clip: Observed, answer: Callable[[int], tuple[Answers, Answers]]) -> Answers:
    out = np.zeros((len(clip.points), COEFFICIENT_COUNT + 4), np.float32)
    for row in np.flatnonzero(clip.seen):
        out[row] = np.concatenate(answer(row))
    return out


def _rest(clip: Observed) -> NDArray[np.int64]:
    rows = np.flatnonzero(clip.seen)
    return rows[resting(clip.offline[rows])]


def _landmarks(clip: Observed, *, known: bool) -> Answers:
    model = BlendshapeRegressor()
    if known:
        model.calibrate(clip.points[_rest(clip)])
    return _each(clip, lambda row: model.estimate(clip.points[row])[:2])


def _adapted(clip: Observed) -> Answers:
    """Fit on every other block and judge on those between, in turn."""
    odd = (np.arange(len(clip.points)) // _BLOCK % 2).astype(bool)
    out = np.zeros((len(clip.points), COEFFICIENT_COUNT + 4), np.float32)
    for fold in (odd, ~odd):
        model = BlendshapeRegressor(adapt_regressor(clip.points[fold], clip.offline[fold]))
        for row in np.flatnonzero(~fold & clip.seen):
            out[row] = np.concatenate(model.estimate(clip.points[row])[:2])
    return out


def _image(clip: Observed, *, known: bool) -> Answers:
    model = ImageRegression()
    if known:
        model.calibrate(clip.crops[_rest(clip)])
    return _each(clip, lambda row: model.run(clip.crops[row])[:2])


def _both(clip: Observed, *, known: bool) -> Answers:
    model, rest = FaceRegressor(), _rest(clip)
    if known:
        model.calibrate(clip.points[rest], clip.crops[rest])
    return _each(clip, lambda row: model.estimate(clip.points[row], clip.crops[row])[:2])


def _live_mix(clip: Observed) -> Answers:
    """Mix as `LiveRegression` does for a performer of whom nothing is known."""
    answer = _both(clip, known=False)
    models = answer[:, :COEFFICIENT_COUNT]
    return _with_gaze(clip.live + LiveRegression().shares * (models - clip.live))


def synthetic_row(method: Method, clips: dict[str, Observed]) -> list[str]:
    """Return the cells of one method on people whose truth is known; clips count alike."""
    found, late, off = [], [], []
    for name, clip in clips.items():
        answer, seen = method.answers[name], clip.seen
        found.append(CoefficientErrors.of(answer[seen, :COEFFICIENT_COUNT], clip.truth[seen]))
        late += [
            lag_frames(answer[:, i].astype(float), clip.truth[:, i].astype(float))
            for i in map(COEFFICIENT_INDEX.__getitem__, _LATE)
        ]
        opened = seen & (clip.truth[:, _BLINKS].max(axis=1) < 0.5)
        gap = np.abs(answer[opened, COEFFICIENT_COUNT:] - clip.true_gaze[opened])
        off.append(float(np.degrees(gap.mean())))
    channels = [list(one.channels.values()) for one in found]
    count = len(channels[0])
    return [
        f"{np.mean([c.error for one in channels for c in one]):.4f}",
        f"{np.mean([np.median([c.correlation for c in one]) for one in channels]):.2f}",
        " / ".join(str(sum(c.correlation >= 0.9 for c in one)) for one in channels),
        " / ".join(f"{sum(c.helps for c in one)}" for one in channels) + f" of {count}",
        "-" if np.isnan(off).any() else f"{np.mean(off):.1f}°",
        f"{np.median(late):+.2f}",
    ]


def clip_row(method: Method, clips: dict[str, Observed]) -> list[str]:
    """Return the cells of one method on the marked clips."""
    lids, lips, gaps = [], [], []
    for name, clip in clips.items():
        answer, marks = method.answers[name], ClipMarks.load(MARKS / f"{name}.json")
        eyes = answer[:, _BLINKS] >= BLINK_COEFFICIENT
        shut = (answer[:, [_JAW]] - answer[:, [_CLOSE]] <= JAW_DROP) & clip.seen[:, None]
        lids.append(Closure.of(eyes, marks.closed[:, :2], marks.opened[:, :2]))
        lips.append(Closure.of(shut, marks.closed[:, 2:], marks.opened[:, 2:]))
        gaps.append(np.abs(answer[:, :COEFFICIENT_COUNT] - clip.offline)[clip.seen].mean())
    cells = [f"{np.mean(gaps):.3f}"]
    for one in (Closure.pooled(lids), Closure.pooled(lips)):
        cells.append(f"{100 * one.recalled:.0f} % / {100 * one.false:.0f} %")
    return cells


def still_cell(method: Method, clip: Observed, name: str) -> str:
    """Return how far a still face's coefficients scatter, RMS over channels."""
    values = method.answers[name][clip.seen, :COEFFICIENT_COUNT]
    return f"{np.sqrt(values.var(axis=0).mean()):.4f}"


def observed(cache: Path | None) -> dict[str, dict[str, Observed]]:
    """Return all clips by kind and name, from the cache where they are there."""

    def get(name: str, make: Callable[[], Observed]) -> Observed:
        path = cache / f"{name}.npz" if cache else None
        if path is not None and path.is_file():
            return Observed.load(path)
        print(f"watching {name}", flush=True)
        clip = make()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            clip.save(path)
        return clip

    def film(name: str) -> Observed:
        source = VideoSource(CLIPS / f"{name}.mp4", start_time_nanos=0)
        return observe((frame.image for frame in source.frames()), source.rate_hz)

    names = [path.stem for path in sorted(MARKS.glob("*.json"))]
    there = [name for name in names if (CLIPS / f"{name}.mp4").is_file()]
    return {
        "synthetic": {
            f"b{seed}": get(f"b{seed}", lambda s=seed: observe_synthetic(s, _SECONDS))
            for seed in PEOPLE
        },
        "still": {
            f"s{PEOPLE[-1]}": get(
                f"s{PEOPLE[-1]}", lambda: observe_still(PEOPLE[-1], _STILL_SECONDS)
            )
        },
        "clips": {name: get(name, lambda n=name: film(n)) for name in there},
    }


def report(everything: dict[str, dict[str, Observed]]) -> str:
    """Return the tables as Markdown."""
    synthetic, clips, still = (everything[kind] for kind in ("synthetic", "clips", "still"))
    together = {**synthetic, **clips, **still}
    solver_ms = float(np.mean([clip.solver_ms for clip in together.values()]))
    heads = ["method", "error", "r, median", "r ≥ 0.9", "beats neutral", "gaze", "late, frames"]
    heads += ["jitter", "to the solver", "lids: found / false", "lips: found / false", "ms", "MB"]
    rows = []
    every = methods()
    for method in every:
        method.run(together)
        name, still_clip = next(iter(still.items()))
        cells = [method.title, *synthetic_row(method, synthetic)]
        cells.append(still_cell(method, still_clip, name))
        cells += clip_row(method, clips) if clips else ["-"] * 3
        spent = method.milliseconds + solver_ms * method.title.startswith("solver, live")
        timed = method.title not in ("solver, offline", "MediaPipe's scores")
        cells.append(f"{spent:.1f}" if timed else "-")
        cells.append(f"{method.size / 1e6:.2f}" if method.size else "-")
        rows.append(cells)
        print(" | ".join(cells), flush=True)
    lines = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
    return "\n".join([*lines, "", *_channels(every, synthetic)])


def _channels(every: list[Method], clips: dict[str, Observed]) -> list[str]:
    """Return a table of each channel's r, all people together."""
    shown = [m for m in every if m.title in _SHOWN]
    truth = np.concatenate([clip.truth[clip.seen] for clip in clips.values()])
    errors = [
        CoefficientErrors.of(
            np.concatenate(
                [m.answers[n][clip.seen, :COEFFICIENT_COUNT] for n, clip in clips.items()]
            ),
            truth,
        ).channels
        for m in shown
    ]
    lines = ["| channel: r | " + " | ".join(m.title for m in shown) + " |"]
    lines.append("| --- |" + " --- |" * len(shown))
    for name in errors[0]:
        cells = [f"{one[name].correlation:.2f}" for one in errors]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Parse the command line, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, help="folder for what is slow to make")
    parser.add_argument("--write", action="store_true", help="into docs/regression.md")
    arguments = parser.parse_args()
    tables = report(observed(arguments.cache))
    print(tables)
    if arguments.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        made = f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"
        DOCUMENT.write_text(made, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
