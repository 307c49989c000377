"""Train the network that turns landmarks into coefficients and gaze, and measure it.

    python tools/regression/train.py pictures*.npz

Half of every batch are landmarks that the landmarker reported on the pictures of `pictures.py`;
the other half is drawn from the head model (`faces.py`, `expressions.py`) and seen through the
errors that the landmarker makes on those pictures. No photograph and no generated face is used.
The same seed gives the same network on the same machine. Takes about three minutes on one core;
needs the extra `train`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from lifemask.heads import COEFFICIENT_COUNT, load_head_model
from lifemask.rigging import (
    REGRESSION_VALIDITY,
    BlendshapeRegressor,
    LandmarkNormalizer,
    check_onnx,
)
from lifemask.tracking import MIRRORED
from regression.faces import Sampler, Samples, keep_apart
from regression.network import GAZE_SCALE, Regressor, gaze_loss, loss, onnx_bytes, whitening
from regression.pictures import Pictures
from regression.response import MIRRORED_COEFFICIENTS, DetectorResponse, Measured, features
from regression.scores import channel_scores, summary, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODEL_PATH: Final = (
    Path(__file__).resolve().parents[2]
    / "sdk_python"
    / "lifemask"
    / "data"
    / "blendshape_regression.onnx"
)
STATEMENT: Final = (
    "samples of lifemask's own head model, and MediaPipe's landmarks on renders of lifemask's own "
    "procedural people (tools/regression/pictures.py); no photograph, no footage, no generative "
    "model"
)
HELD_OUT: Final = 16
"""People, the last ones, that are not trained on."""

_BATCH: Final = 512
_SEEN: Final = 0.4
"""Share of a batch that the landmarker reported."""

_RATE: Final = 2e-3
_DECAY: Final = 3e-4
_DRAWN: Final = 1024
_GAZE_SHARE: Final = 0.2
_PARITY: Final = 1e-5


def main() -> None:
    """Parse the command line, train, export, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--samples", type=int, default=80_000)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=MODEL_PATH)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    head = load_head_model()
    model = head.landmark_model()
    normalizer = LandmarkNormalizer.from_model(model)
    start = time.process_time()
    pictures = load(arguments.pictures)
    last = pictures.person > np.unique(pictures.person)[-HELD_OUT - 1]
    response = DetectorResponse.fit(measured(pictures.of(~last), normalizer).with_mirror_images())
    drawn = draw(Sampler(model, normalizer, response), arguments.samples, arguments.seed)
    seen = reported(pictures.of(~last), normalizer, arguments.seed)
    spent = time.process_time() - start
    print(f"{len(seen.gaze)} reported and {len(drawn.gaze)} drawn in {spent:.0f} s", flush=True)
    network = train(seen, drawn, arguments.steps)
    data = onnx_bytes(network, normalizer, head.topology, STATEMENT)
    check_onnx(data, "blendshape_regression.onnx")
    check_parity(data, network, drawn.landmarks[:256])
    arguments.output.write_bytes(data)
    spent = time.process_time() - start
    print(f"{arguments.output.name}: {len(data) / 1e6:.2f} MB, {spent:.0f} s of CPU")
    report(data, pictures.of(last))


def load(paths: list[Path]) -> Pictures:
    """Read several files of pictures, without the pictures themselves."""
    parts = [Pictures.load(path) for path in paths]
    names = [name for name in Pictures.__dataclass_fields__ if name != "crops"]
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Pictures(**joined, crops=np.zeros((len(joined["person"]), 1, 1, 3), np.uint8))


def measured(pictures: Pictures, normalizer: LandmarkNormalizer) -> Measured:
    """Return the landmarker's errors on pictures."""
    true = normalizer(pictures.true_pixels)
    keep_apart(true)
    return Measured(
        normalizer(pictures.points) - true,
        features(pictures.rotations, pictures.coefficients, pictures.gaze),
        np.unique(pictures.person, return_inverse=True)[1],
    )


def reported(pictures: Pictures, normalizer: LandmarkNormalizer, seed: int) -> Samples:
    """Return samples of what the landmarker reported, also in a mirror, with and without rest.

    For calibration the person's pictures at rest are averaged, one to three of them.
    """
    rng = np.random.default_rng(seed)
    landmarks, coefficients, gaze = [], [], []
    for mirror in (False, True):
        points = pictures.points[..., :2].astype(np.float64)
        points = (points * (-1.0, 1.0))[:, MIRRORED] if mirror else points
        wanted = pictures.coefficients[:, MIRRORED_COEFFICIENTS] if mirror else (
            pictures.coefficients
        )  # fmt: skip
        looks = pictures.gaze[:, [2, 3, 0, 1]] * (-1, 1, -1, 1) if mirror else pictures.gaze
        landmarks.append(normalizer(points))
        coefficients.append(wanted)
        gaze.append(looks)
        for person in np.unique(pictures.person):
            rows = np.flatnonzero(pictures.person == person)
            rest = rows[pictures.rest[rows]]
            if len(rest):
                some = rng.choice(rest, int(rng.integers(1, len(rest) + 1)), replace=False)
                offset = normalizer.neutral_offset(points[some]).mean(axis=0)
                landmarks.append(normalizer(points[rows], offset))
                coefficients.append(wanted[rows])
                gaze.append(looks[rows])
    parts = (landmarks, coefficients, gaze)
    return Samples(*(np.concatenate(part).astype(np.float32) for part in parts))


def draw(sampler: Sampler, count: int, seed: int) -> Samples:
    """Draw many samples."""
    rng = np.random.default_rng(seed)
    parts = [sampler.draw(min(_DRAWN, count - at), rng) for at in range(0, count, _DRAWN)]
    return Samples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def train(seen: Samples, drawn: Samples, steps: int) -> Regressor:
    """Return the network, trained in whitened coordinates and folded back."""
    flat = [one.landmarks.reshape(len(one.landmarks), -1) for one in (seen, drawn)]
    mean, directions = whitening(np.concatenate([flat[0], flat[1][: len(flat[0])]]))
    inputs = torch.from_numpy(
        (np.concatenate(flat) - mean.astype(np.float32)) @ directions.astype(np.float32)
    )
    truth = torch.from_numpy(np.concatenate([seen.coefficients, drawn.coefficients]))
    gaze = GAZE_SCALE * torch.from_numpy(np.concatenate([seen.gaze, drawn.gaze]))
    weights = 1.0 / (truth[: len(seen.gaze)].std(dim=0) + 0.05)
    weights = weights / weights.mean()
    network = Regressor()
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=steps, pct_start=0.1
    )
    first, few = len(seen.gaze), int(_SEEN * _BATCH)
    for step in range(steps):
        chosen = torch.cat(
            [torch.randint(first, (few,)), torch.randint(first, len(inputs), (_BATCH - few,))]
        )
        some = inputs[chosen]
        raw = network.layers(some + _JITTER * torch.randn_like(some))
        error = loss(raw[:, :COEFFICIENT_COUNT], truth[chosen], weights)
        error = error + _GAZE_SHARE * gaze_loss(
            raw[:, COEFFICIENT_COUNT:], gaze[chosen], truth[chosen]
        )
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        schedule.step()
        if step % 500 == 499:
            print(f"step {step + 1}: loss {error.item():.5f}", flush=True)
    return network.folded(mean, directions)


_JITTER: Final = 0.05
"""Noise on whitened inputs, standard deviations: a still face must give still coefficients."""


def estimate(data: bytes, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the exported network on normalised landmarks `(n, 478, 2)`."""
    regressor = BlendshapeRegressor(data)
    return np.stack([regressor.run_normalized(one) for one in landmarks])


def check_parity(data: bytes, network: Regressor, landmarks: NDArray[np.float32]) -> None:
    """Compare ONNX Runtime with torch.

    Raises:
        RuntimeError: They differ by more than rounding.
    """
    with torch.no_grad():
        wanted = network(torch.from_numpy(landmarks)).numpy() * REGRESSION_VALIDITY
    gap = float(np.abs(estimate(data, landmarks) - wanted).max())
    print(f"ONNX Runtime differs from torch by {gap:.1e}")
    if gap > _PARITY:
        raise RuntimeError(f"ONNX Runtime differs from torch by {gap}")


def report(data: bytes, held_out: Pictures) -> None:
    """Print scores on people that were not trained on, with the landmarker in the loop."""
    regressor = BlendshapeRegressor(data)
    columns: dict[str, list[NDArray[np.float32]]] = {"strangers": [], "calibrated": []}
    truth = []
    for person in np.unique(held_out.person):
        mine = held_out.of(held_out.person == person)
        for title, guess in columns.items():
            known = title == "calibrated" and mine.rest.any()
            regressor.calibrate(mine.points[mine.rest] if known else None)
            guess += [regressor.coefficients(points) for points in mine.points[~mine.rest]]
        truth.append(mine.coefficients[~mine.rest])
    wanted = np.concatenate(truth)
    scores = {name: channel_scores(np.array(guess), wanted) for name, guess in columns.items()}
    for title, rows in scores.items():
        print(summary(title, rows))
    print(table(scores))


if __name__ == "__main__":
    main()
