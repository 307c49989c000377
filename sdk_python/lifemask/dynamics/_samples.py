"""The training set of one clip: what each packed texel should add to the albedo."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.dynamics._contract import INPUT_COUNT, dynamic_input, view_direction
from lifemask.dynamics._regions import Layout
from lifemask.dynamics._views import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lifemask.appearance import ClipLight
    from lifemask.dynamics._views import SampleView
    from lifemask.heads import Head


@dataclass(frozen=True)
class TextureSamples:
    """What frames of a clip show of the regions of a layout.

    Attributes:
        inputs: `(n, 59)` float32, see `dynamic_input`.
        targets: `(n, size, size, 3)` float16, residual in sRGB-encoded albedo with the clip's
            light divided out, within the scale of its region; 0 where nothing was seen.
        weights: `(n, size, size)` uint8, how far a texel can be trusted; 0 where it was not seen.
            `PRIOR_WEIGHT` where the target is a guess: beside what was seen, and in eyes, teeth
            and mouth, where it is their shadow.
        layout: Regions and packing.
        frames: `(n,)` int64, number of each frame in its clip.
        gains: `(n,)` float32, exposure of each frame against the clip's light.
    """

    inputs: NDArray[np.float32]
    targets: NDArray[np.float16]
    weights: NDArray[np.uint8]
    layout: Layout
    frames: NDArray[np.int64]
    gains: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.inputs)

    def where(self, chosen: NDArray[Any]) -> TextureSamples:
        """Return the samples of some frames: `(n,)` bool, or places."""
        return TextureSamples(
            self.inputs[chosen],
            self.targets[chosen],
            self.weights[chosen],
            self.layout,
            self.frames[chosen],
            self.gains[chosen],
        )

    def to_bytes(self) -> bytes:
        """Return the samples as an `.npz` file; the same samples give the same bytes."""
        buffer = io.BytesIO()
        np.savez(
            buffer,
            inputs=self.inputs,
            targets=self.targets,
            weights=self.weights,
            frames=self.frames,
            gains=self.gains,
            masks=self.layout.masks(),
            layout=np.array(json.dumps(self.layout.to_dict())),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> TextureSamples:
        """Rebuild what `to_bytes` gave.

        Raises:
            ValueError: Not such a file.
            KeyError: An array is missing.
            PackageError: The layout is damaged.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            layout = Layout.from_dict(json.loads(str(file["layout"])), file["masks"])
            names = ("inputs", "targets", "weights", "frames", "gains")
            inputs, targets, weights, frames, gains = (file[name] for name in names)
        side = (layout.size, layout.size)
        if targets.shape != (len(inputs), *side, 3) or weights.shape != (len(inputs), *side):
            raise ValueError(f"targets have shape {targets.shape}, weights {weights.shape}")
        return cls(inputs, targets, weights, layout, frames, gains)


def texture_samples(
    head: Head,
    albedo: NDArray[np.uint8],
    views: Iterable[SampleView],
    layout: Layout,
    light: ClipLight | None = None,
) -> TextureSamples:
    """Look every packed texel up in every frame.

    Where a texel is seen, its colour in the frame is divided by the clip's light (see
    `Sampler.look`) and by the frame's exposure, which is the median ratio of what is seen to what
    the albedo would show; the residual is what then differs from the albedo, in the encoded
    domain. The shadow in the mouth and under the lids is not divided out: it belongs to the
    dynamic texture. One z-buffer a frame decides what is seen.

    Args:
        head: Whose texture it is; poses refer to its size.
        albedo: `(h, w, 3 or 4)` uint8 sRGB, in the head atlas.
        views: Frames with what the head does in them.
        layout: Regions and packing.
        light: Of the clip; left out for pictures of the albedo itself.

    Raises:
        ValueError: No view.
    """
    sampler = Sampler(head, albedo, layout)
    inputs, targets, weights, frames, gains = [], [], [], [], []
    for view in views:
        looked = sampler.look(view, light)
        packed = np.zeros((layout.size * layout.size, 3), np.float16)
        trust = np.zeros(layout.size * layout.size, np.uint8)
        packed[sampler.texels.index] = looked.residual
        trust[sampler.texels.index] = np.rint(255.0 * looked.trust).astype(np.uint8)
        inputs.append(dynamic_input(view.coefficients, view.gaze, view_direction(view.pose)))
        targets.append(packed.reshape(layout.size, layout.size, 3))
        weights.append(trust.reshape(layout.size, layout.size))
        frames.append(view.frame)
        gains.append(looked.gain)
    if not inputs:
        raise ValueError("samples of no view")
    return TextureSamples(
        np.stack(inputs).reshape(-1, INPUT_COUNT),
        np.stack(targets),
        np.stack(weights),
        layout,
        np.array(frames, np.int64),
        np.array(gains, np.float32),
    )
