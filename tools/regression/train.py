"""Train the network that turns landmarks into coefficients, and measure it.

    python tools/regression/train.py

Everything is drawn from the head model (`faces.py`, `expressions.py`) and seen through the errors
of the landmarker that `detector.py` measured; no photograph is used. The same seed gives the same
network on the same machine. Takes about four minutes on two cores; needs the extra `train`.
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

from lifemask.heads import load_head_model
from lifemask.rigging import BlendshapeRegressor, LandmarkNormalizer, check_onnx
from regression.faces import Sampler, Samples, Variation
from regression.network import Regressor, loss, onnx_bytes, whitening
from regression.response import DetectorResponse
from regression.scores import channel_scores, summary, table

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESPONSE_PATH: Final = Path(__file__).with_name("detector.npz")
MODEL_PATH: Final = (
    Path(__file__).resolve().parents[2]
    / "sdk_python"
    / "lifemask"
    / "data"
    / "blendshape_regression.onnx"
)

_BATCH: Final = 512
_RATE: Final = 2e-3
_DECAY: Final = 1e-4
_DRAWN: Final = 1024
_HELD_OUT: Final = 8192
_PARITY: Final = 1e-5
_EXACT: Final = Variation(
    person=0.0, strength=0.0, shape=0.0, smooth_noise=0.0, white_noise=0.0, iris_noise=0.0
)
"""The head model itself, seen without error."""


def main() -> None:
    """Parse the command line, train, export, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=160_000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=MODEL_PATH)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    head = load_head_model()
    model = head.landmark_model()
    normalizer = LandmarkNormalizer.from_model(model)
    response = DetectorResponse.load(RESPONSE_PATH)
    start = time.perf_counter()
    samples = draw(Sampler(model, normalizer, response), arguments.samples, arguments.seed)
    print(f"{arguments.samples} samples in {time.perf_counter() - start:.0f} s", flush=True)
    network = train(samples, arguments.steps)
    data = onnx_bytes(network, normalizer, head.topology)
    check_onnx(data, "blendshape_regression.onnx")
    check_parity(data, network, samples.landmarks[:256])
    arguments.output.write_bytes(data)
    print(f"{arguments.output}: {len(data) / 1e6:.2f} MB, {time.perf_counter() - start:.0f} s")
    _report(
        data,
        {
            "exact landmarks": Sampler(model, normalizer, None, _EXACT),
            "strangers": Sampler(model, normalizer, response, Variation(calibrated=0.0)),
            "calibrated": Sampler(model, normalizer, response, Variation(calibrated=1.0)),
        },
        arguments.seed,
    )


def draw(sampler: Sampler, count: int, seed: int) -> Samples:
    """Draw many samples."""
    rng = np.random.default_rng(seed)
    parts = [sampler.draw(min(_DRAWN, count - at), rng) for at in range(0, count, _DRAWN)]
    return Samples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def train(samples: Samples, steps: int) -> Regressor:
    """Return the network, trained in whitened coordinates and folded back."""
    flat = samples.landmarks.reshape(len(samples.landmarks), -1)
    mean, directions = whitening(flat)
    inputs = torch.from_numpy((flat - mean.astype(np.float32)) @ directions.astype(np.float32))
    truth = torch.from_numpy(samples.coefficients)
    network = Regressor()
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, _RATE, total_steps=steps, pct_start=0.1
    )
    for step in range(steps):
        chosen = torch.randint(len(inputs), (_BATCH,))
        error = loss(network.layers(inputs[chosen]), truth[chosen])
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        schedule.step()
        if step % 500 == 0:
            print(f"step {step}: loss {error.item():.5f}", flush=True)
    return network.folded(mean, directions)


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
        wanted = network(torch.from_numpy(landmarks)).numpy()
    gap = float(np.abs(estimate(data, landmarks) - wanted).max())
    print(f"ONNX Runtime differs from torch by {gap:.1e}")
    if gap > _PARITY:
        raise RuntimeError(f"ONNX Runtime differs from torch by {gap}")


def _report(data: bytes, samplers: dict[str, Sampler], seed: int) -> None:
    """Print scores on people that were not trained on."""
    columns = {}
    for title, sampler in samplers.items():
        held_out = draw(sampler, _HELD_OUT, seed + 1000)
        guess = estimate(data, held_out.landmarks)
        columns[title] = channel_scores(guess, held_out.coefficients)
        print(summary(title, columns[title]))
    print(table(columns))


if __name__ == "__main__":
    main()
