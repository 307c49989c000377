"""Level both models' answers and fit how much each counts where both are there.

    python tools/regression/finish.py pictures.npz

The pictures show people whom neither model was trained on. Least squares answers a doubtful
picture with a little of everything, so faces at rest twitch and strong expressions come out weak:
each channel gets a threshold and a gain, which go into the last layer. Then, for each channel, the
weighted mean of both answers that comes nearest to the truth is found, with shrinkage to one half:
on photographs either model may be worse than on drawings. Run once after training.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from lifemask.heads import COEFFICIENT_COUNT
from lifemask.rigging import BlendshapeRegressor, ImageRegression, check_onnx
from lifemask.rigging._onnx_weights import add_metadata, read_weight, replace_weights
from regression.pictures import Pictures
from regression.train import MODEL_PATH
from regression.train_image import IMAGE_MODEL_PATH, MIDDLE, grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LAST: Final = {"landmarks": ("weight2", "bias2"), "image": ("raw_weight", "raw_bias")}
_GAINS: Final = (1.0, 1.1, 1.2)
"""Small ones: on drawings the landmarker follows an expression only part of the way, on photographs
it need not."""

_THRESHOLDS: Final = (0.0, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
_SHRINKAGE: Final = 0.25
"""Weight of one half, share of the mean squared difference of the models."""


def answers(
    pictures: Pictures, landmark_model: bytes, image_model: bytes
) -> dict[str, NDArray[np.float64]]:
    """Return what both models say about pictures, `(n, 56)` each, calibrated where possible."""
    told, seen = BlendshapeRegressor(landmark_model), ImageRegression(image_model)
    crops = grey(pictures.crops[:, MIDDLE, MIDDLE])
    found = {name: np.zeros((len(crops), 56)) for name in _LAST}
    for person in np.unique(pictures.person):
        mine = pictures.person == person
        rest = mine & pictures.rest
        told.calibrate(pictures.points[rest] if rest.any() else None)
        seen.calibrate(crops[rest] if rest.any() else None)
        for row in np.flatnonzero(mine):
            found["landmarks"][row] = np.concatenate(told.estimate(pictures.points[row])[:2])
            found["image"][row] = np.concatenate(seen.run(crops[row])[:2])
    return found


def levels(guess: NDArray[np.float64], truth: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return gain and threshold `(52, 2)` with the least sum of mean absolute and RMS error."""
    out = np.zeros((COEFFICIENT_COUNT, 2))
    for index in range(COEFFICIENT_COUNT):
        best = np.inf
        for gain in _GAINS:
            for threshold in _THRESHOLDS:
                error = np.clip(gain * (guess[:, index] - threshold), 0, 1) - truth[:, index]
                cost = np.abs(error).mean() + np.sqrt((error**2).mean())
                if cost < best - 1e-9:
                    best, out[index] = cost, (gain, threshold)
    return out


def levelled(data: bytes, kind: str, level: NDArray[np.float64]) -> bytes:
    """Return a model with gains and thresholds in its last layer.

    Raises:
        ValueError: It has them already.
    """
    if b"levelled" in data:
        raise ValueError(f"the {kind} model is finished already")
    weight, bias = (read_weight(data, name).astype(np.float64) for name in _LAST[kind])
    gain, threshold = level.T
    weight[:COEFFICIENT_COUNT] *= gain[:, None]
    bias[:COEFFICIENT_COUNT] = gain * (bias[:COEFFICIENT_COUNT] - threshold)
    made = replace_weights(data, dict(zip(_LAST[kind], (weight, bias), strict=True)))
    return add_metadata(made, "levelled", "tools/regression/finish.py")


def image_share(
    first: NDArray[np.float64], second: NDArray[np.float64], truth: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the second model's weight `(56,)` in [0, 1]."""
    gap, wanted = second - first, truth - first
    firm = _SHRINKAGE * (gap**2).mean(axis=0) + 1e-9
    share = ((gap * wanted).mean(axis=0) + 0.5 * firm) / ((gap**2).mean(axis=0) + firm)
    return np.clip(share, 0.0, 1.0)


def main() -> None:
    """Parse the command line, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--landmark-model", type=Path, default=MODEL_PATH)
    parser.add_argument("--image-model", type=Path, default=IMAGE_MODEL_PATH)
    arguments = parser.parse_args()
    pictures = Pictures.load(arguments.pictures)
    truth = np.concatenate([pictures.coefficients, pictures.gaze], axis=1)
    rows = ~pictures.rest
    paths = {"landmarks": arguments.landmark_model, "image": arguments.image_model}
    models = {kind: path.read_bytes() for kind, path in paths.items()}
    found = answers(pictures, models["landmarks"], models["image"])
    for kind, guess in found.items():
        level = levels(guess[:, :COEFFICIENT_COUNT], truth[:, :COEFFICIENT_COUNT])
        models[kind] = levelled(models[kind], kind, level)
        gain, threshold = np.median(level, axis=0)
        print(f"{kind}: median gain {gain:.2f}, threshold {threshold:.3f}", flush=True)
    found = answers(pictures, models["landmarks"], models["image"])
    share = image_share(found["landmarks"][rows], found["image"][rows], truth[rows])
    text = json.dumps([round(float(x), 3) for x in share])
    models["image"] = add_metadata(models["image"], "landmark_mix", text)
    print(f"image model's weight: median {np.median(share):.2f}")
    for kind, path in paths.items():
        check_onnx(models[kind], path.name)
        path.write_bytes(models[kind])


if __name__ == "__main__":
    main()
