"""Measure the shipped network with the landmarker in the loop, and on video.

    python tools/regression/evaluate.py ../shared/data -o out/regression

On each portrait of the folder an avatar is built and drawn with random expressions; the landmarks
found in the drawings go through the network, whose answer is compared with the truth. None of
these people was measured by `detector.py`. On each clip the network's curves are drawn beside
MediaPipe's own scores and the solver's coefficients. Needs matplotlib, which comes with mediapipe.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from lifemask import build
from lifemask.capture import VideoSource
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES
from lifemask.rigging import BlendshapeRegressor
from lifemask.tracking import FaceLandmarker, FaceLandmarks, FrameSolver, fit_performer
from regression.detector import see
from regression.scores import channel_scores, correlation, summary, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SEED: Final = 5
_PICTURES: Final = 160
_LIVELY: Final = 0.02
"""Standard deviation from which a channel of a clip says something."""

RELIABLE: Final = (
    "jawOpen",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthPucker",
    "browInnerUp",
    "browDownLeft",
)
"""Channels on which MediaPipe's scores are worth comparing with."""


class Curves(NamedTuple):
    """One clip, `(n_frames, 52)` each."""

    regression: NDArray[np.float32]
    calibrated: NDArray[np.float32]
    scores: NDArray[np.float32]
    solver: NDArray[np.float32]


def loop_scores(portraits: list[Path]) -> None:
    """Print scores on drawings of people that the network knows nothing of."""
    regressor, rng = BlendshapeRegressor(), np.random.default_rng(_SEED)
    truth, strangers, calibrated = [], [], []
    with FaceLandmarker(max_faces=1) as landmarker:
        for portrait in portraits:
            seen = see(build([portrait], texture_size=1024), landmarker, _PICTURES, rng)
            truth.append(seen.coefficients)
            regressor.calibrate(None)
            strangers.append(np.stack([regressor.coefficients(p) for p in seen.pixels]))
            regressor.calibrate(seen.pixels[0])
            calibrated.append(np.stack([regressor.coefficients(p) for p in seen.pixels]))
    columns = {
        title: channel_scores(np.concatenate(guess), np.concatenate(truth))
        for title, guess in (("strangers", strangers), ("calibrated", calibrated))
    }
    for title, scores in columns.items():
        print(summary(f"landmarker in the loop, {title}", scores))
    print(table(columns))


def curves(path: Path) -> Curves:
    """Run landmarker, network and solver over a clip.

    The network is calibrated with the frame on which it reports least.
    """
    faces = _faces(path)
    performer = fit_performer(faces)
    solver = FrameSolver(performer.shape, performer.camera)
    regressor = BlendshapeRegressor()
    plain = np.stack([regressor.coefficients(face.points) for face in faces])
    regressor.calibrate(faces[int(np.argmin(plain.sum(axis=1)))].points)
    return Curves(
        plain,
        np.stack([regressor.coefficients(face.points) for face in faces]),
        np.stack([_scores(face) for face in faces]),
        np.stack([solver.solve(face).coefficients for face in faces]),
    )


def _faces(path: Path) -> list[FaceLandmarks]:
    with FaceLandmarker() as landmarker:
        found = [
            landmarker.track(frame.image, frame.capture_time_nanos * 1e-9)
            for frame in VideoSource(path).frames()
        ]
    return [face for face in found if face is not None]


def _scores(face: FaceLandmarks) -> NDArray[np.float32]:
    out = np.zeros(len(COEFFICIENT_NAMES), np.float32)
    for name, value in face.scores.items():
        out[COEFFICIENT_INDEX[name]] = value
    return out


def compare(name: str, found: Curves) -> None:
    """Print how the network's curves go with the others on lively channels."""
    for channel in RELIABLE:
        index = COEFFICIENT_INDEX[channel]
        ours, scores, solver = (c[:, index] for c in (found.regression, found.scores, found.solver))
        if scores.std() > _LIVELY:
            print(
                f"{name} {channel}: r {correlation(ours, scores):.2f} with MediaPipe's score, "
                f"{correlation(ours, solver):.2f} with the solver, "
                f"{correlation(solver, scores):.2f} between these two"
            )


def plot(path: Path, name: str, found: Curves) -> None:
    """Draw the curves of the reliable channels."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(RELIABLE), 1, figsize=(14, 2 * len(RELIABLE)), sharex=True)
    for axis, channel in zip(axes, RELIABLE, strict=True):
        index = COEFFICIENT_INDEX[channel]
        for title, curve in found._asdict().items():
            axis.plot(curve[:, index], label=title, linewidth=1)
        axis.set_ylabel(channel, fontsize=8)
        axis.set_ylim(-0.02, 1.02)
    axes[0].legend(ncol=4, fontsize=8)
    axes[0].set_title(name)
    figure.tight_layout()
    figure.savefig(path, dpi=70)
    pyplot.close(figure)


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds portraits/*.jpg and clips/*.mp4")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/regression"))
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for clip in sorted(arguments.folder.glob("clips/*.mp4")):
        found = curves(clip)
        compare(clip.stem, found)
        plot(arguments.output / f"{clip.stem}.png", clip.stem, found)
    loop_scores(sorted(arguments.folder.glob("portraits/*.jpg")))


if __name__ == "__main__":
    main()
