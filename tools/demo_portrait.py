"""Sample the demo portrait: a person who does not exist.

    python tools/demo_portrait.py random_face-2021.7.21.1-py3-none-any.whl

The generator is the MobileStyleGAN in the PyPI wheel `random-face` 2021.7.21.1. Its OpenVINO
graphs are read from the wheel (fetch it with `pip download --no-deps random-face`); it needs
not be installed. Needs `openvino`, `numpy` and `pillow`. The same seed gives the same portrait
up to rounding in OpenVINO's kernels; `sdk_python/lifemask/data/PROVENANCE.md` says the rest.
"""

from __future__ import annotations

import argparse
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import openvino
from PIL import Image

STYLE_DIMENSION = 512
MEAN_SAMPLES = 4096
"""Latent samples whose mean style truncation pulls toward."""

DEMO_SEED = 81
DEMO_TRUNCATION = 0.5
DEMO_PATH = Path(__file__).parents[1] / "sdk_python" / "lifemask" / "data" / "portrait.jpg"


class Generator:
    """The mapping and synthesis networks of one wheel.

    Args:
        wheel: Path of the wheel.
    """

    def __init__(self, wheel: Path) -> None:
        core = openvino.Core()
        with tempfile.TemporaryDirectory() as directory:
            with zipfile.ZipFile(wheel) as archive:
                members = [m for m in archive.namelist() if m.startswith("random_face/data/")]
                archive.extractall(directory, members)
            data = Path(directory) / "random_face" / "data"
            mapping = core.read_model(data / "MappingNetwork.xml")
            mapping.reshape({"var": [-1, STYLE_DIMENSION]})
            self._mapping = core.compile_model(mapping, "CPU")
            self._synthesis = core.compile_model(data / "SynthesisNetwork.xml", "CPU")
        latents = np.random.default_rng(0).standard_normal((MEAN_SAMPLES, STYLE_DIMENSION))
        self._mean = self._style(latents).mean(axis=0, keepdims=True)

    def sample(self, seed: int, truncation: float) -> np.ndarray:
        """Return a portrait `(1024, 1024, 3)` uint8 sRGB.

        Args:
            seed: Of the latent vector.
            truncation: 0 gives the mean face, 1 the full variety.
        """
        latent = np.random.default_rng(seed).standard_normal((1, STYLE_DIMENSION))
        style = self._mean + truncation * (self._style(latent) - self._mean)
        image = self._synthesis({"style": style.astype(np.float32)})["img"][0]
        return np.clip((image.transpose(1, 2, 0) + 1.0) * 127.5 + 0.5, 0, 255).astype(np.uint8)

    def _style(self, latents: np.ndarray) -> np.ndarray:
        return np.asarray(self._mapping({"var": latents.astype(np.float32)})["style"])


def main() -> None:
    """Write the demo portrait."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--seed", type=int, default=DEMO_SEED)
    parser.add_argument("--truncation", type=float, default=DEMO_TRUNCATION)
    parser.add_argument("-o", "--output", type=Path, default=DEMO_PATH)
    options = parser.parse_args()
    portrait = Generator(options.wheel).sample(options.seed, options.truncation)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(portrait).save(options.output, quality=92, subsampling=0, optimize=True)
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
