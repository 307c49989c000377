"""What every dynamic texture takes and gives (the same for all back-ends)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import numpy as np

from lifemask._errors import PackageError
from lifemask.heads import COEFFICIENT_COUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from lifemask.dynamics._regions import Layout
    from lifemask.geometry import Pose

INPUT_COUNT: Final = COEFFICIENT_COUNT + 7
GAZE: Final = slice(COEFFICIENT_COUNT, COEFFICIENT_COUNT + 4)
"""Left yaw, left pitch, right yaw, right pitch, rad, in an input."""
VIEW: Final = slice(COEFFICIENT_COUNT + 4, INPUT_COUNT)
"""Unit direction to the camera, head frame, in an input."""
_FRONTAL: Final = (0.0, 0.0, 1.0)
_MARGIN: Final = 0.05
"""Share of a range by which inputs may leave it."""


def dynamic_input(
    coefficients: ArrayLike, gaze: ArrayLike | None = None, view: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Put one input of a dynamic texture together.

    Args:
        coefficients: `(52,)` in [0, 1], order `COEFFICIENT_NAMES`.
        gaze: `(4,)` rad: left yaw, left pitch, right yaw, right pitch; straight when left out.
        view: `(3,)` direction to the camera in the head frame, of any length; frontal when left
            out. For a head with pose x_camera = R x + t it is `-R.T @ t`.

    Returns:
        `(59,)` float32.

    Raises:
        ValueError: A shape is wrong.
    """
    values = np.empty(INPUT_COUNT, np.float32)
    values[:COEFFICIENT_COUNT] = _shaped(coefficients, COEFFICIENT_COUNT, "coefficients")
    values[GAZE] = 0.0 if gaze is None else _shaped(gaze, 4, "gaze")
    toward = np.asarray(_FRONTAL if view is None else _shaped(view, 3, "view"), np.float64)
    length = float(np.linalg.norm(toward))
    values[VIEW] = toward / length if np.isfinite(length) and length > 0 else _FRONTAL
    return values


def view_direction(pose: Pose) -> NDArray[np.float64]:
    """Return the direction `(3,)` from the head joint to the camera, head frame, in metres.

    Args:
        pose: Head frame to camera frame.
    """
    return -pose.rotation.T @ pose.translation


@runtime_checkable
class DynamicTexture(Protocol):
    """What changes the albedo with expression, gaze and view.

    A back-end is written into a package as `to_files()` says, and read by the function that
    `lifemask.dynamics.read_back_end` names for its kind.

    Attributes:
        kind: `"network"`, `"linear"` or `"key"`.
        layout: Of what `evaluate` returns.
    """

    @property
    def kind(self) -> str:
        """Name of the back-end."""
        ...

    @property
    def layout(self) -> Layout:
        """Regions and packing."""
        ...

    def evaluate(self, inputs: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the packed atlas `(size, size, 3)` float32 in [0, 1] for an input `(59,)`.

        0.5 + residual / (2 scale) of each region, residual in sRGB-encoded albedo; 0.5 outside.
        Bounded and finite for every input, see `InputRange`.
        """
        ...

    def to_files(self) -> Mapping[str, bytes]:
        """Return the files that hold it, by name in the package's folder `dynamics/`.

        Names begin with the kind. The layout is not among them.
        """
        ...


@dataclass(frozen=True)
class InputRange:
    """The inputs that a back-end was trained on; others are brought to the nearest of them.

    Attributes:
        low: `(59,)` float32.
        high: `(59,)` float32.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def of(cls, inputs: NDArray[np.floating]) -> InputRange:
        """Return the range of training inputs `(n, 59)`, widened by a twentieth."""
        low, high = inputs.min(axis=0), inputs.max(axis=0)
        margin = _MARGIN * (high - low)
        return cls((low - margin).astype(np.float32), (high + margin).astype(np.float32))

    def clamp(self, inputs: ArrayLike) -> NDArray[np.float32]:
        """Return inputs `(59,)` or `(n, 59)` inside the range.

        What is not a number counts as rest: a coefficient and an angle of 0, a frontal view.
        """
        rest = np.zeros(INPUT_COUNT, np.float32)
        rest[VIEW] = _FRONTAL
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.asarray(inputs, np.float32)
        if values.shape[-1:] != (INPUT_COUNT,):
            raise ValueError(f"inputs have shape {values.shape}, expected (59,)")
        return np.clip(np.where(np.isnan(values), rest, values), self.low, self.high)

    def to_dict(self) -> dict[str, Any]:
        """Return the range as JSON can hold it."""
        return {"low": [float(x) for x in self.low], "high": [float(x) for x in self.high]}

    @classmethod
    def from_dict(cls, value: object) -> InputRange:
        """Rebuild what `to_dict` gave.

        Raises:
            PackageError: Not 59 finite pairs, the lower one first.
        """
        ends = []
        for key in ("low", "high"):
            found = value.get(key) if isinstance(value, dict) else None
            good = isinstance(found, list) and len(found) == INPUT_COUNT
            if not good or not all(isinstance(x, int | float) for x in found or ()):
                raise _damaged()
            ends.append(np.array(found, np.float32))
        if not np.isfinite(ends).all() or (ends[0] > ends[1]).any():
            raise _damaged()
        return cls(ends[0], ends[1])


def encode_residual(residual: NDArray[np.floating], layout: Layout) -> NDArray[np.float32]:
    """Return packed residuals `(..., size, size, 3)` as a back-end gives them, clipped to [0, 1].

    Args:
        residual: In sRGB-encoded albedo, [-1, 1].
        layout: Whose scales are meant.
    """
    encoded = 0.5 + np.asarray(residual, np.float32) / (2.0 * layout.scales())
    return np.asarray(np.clip(encoded, 0.0, 1.0), np.float32)


def decode_residual(output: NDArray[np.floating], layout: Layout) -> NDArray[np.float32]:
    """Return the packed residuals `(..., size, size, 3)` of a back-end's output."""
    centred = np.asarray(output, np.float32) - np.float32(0.5)
    return np.asarray(centred * (2.0 * layout.scales()), np.float32)


def _shaped(values: ArrayLike, count: int, name: str) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if array.shape != (count,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({count},)")
    return array


def _damaged() -> PackageError:
    return PackageError(
        "the dynamic texture's range of inputs is damaged",
        hint="Build the avatar again, or take the package from its source again.",
    )
