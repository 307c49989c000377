"""One row of the table: a method over the test frames of one split."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.evaluation._lpips import Lpips
from lifemask.evaluation._masks import BOXES
from lifemask.evaluation._picture_metrics import (
    SSIM_WINDOW,
    composite,
    laplacian_energy,
    psnr,
    ssim_map,
)
from lifemask.tracking import FACE_POINTS, REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation._footage import Footage
    from lifemask.evaluation._identity import FaceEmbedding
    from lifemask.evaluation._lpips import Features
    from lifemask.evaluation._methods import Method
    from lifemask.tracking import FaceLandmarker

SLOW_STRIDE: Final = 3
"""LPIPS and detection look at every third test frame."""
IDENTITY_FRAMES: Final = 8
"""Test frames, spread evenly, whose embedding is compared."""

_REACH: Final = SSIM_WINDOW // 2 + 1
"""Pixels around the mask that the filters look at."""

LANDMARK_REGIONS: Final = {
    "all": np.arange(FACE_POINTS),
    "lips": REGIONS["lips"],
    "lids": REGIONS["eyes"],
}


@dataclass
class Row:
    """What a method scored.

    Attributes:
        method: Name of the method.
        mode: See `Method.mode`.
        gain: See `Method.gain`.
        frames: Test frames that were scored.
        missing: Test frames for which the method gave no picture.
        numbers: Mean over the frames by name; landmarks are medians. See docs/evaluation.md.
        psnr_by_frame: `(frame, dB)` inside the face mask.
        undetected: Pictures of the method in which no face was found, of those looked at.
    """

    method: str
    mode: str
    gain: bool
    frames: int = 0
    missing: int = 0
    numbers: dict[str, float] = field(default_factory=dict)
    psnr_by_frame: list[tuple[int, float]] = field(default_factory=list)
    undetected: int = 0

    @property
    def title(self) -> str:
        """Name to show."""
        words = [self.method, *([self.mode] if self.mode else []), *(["gain"] if self.gain else [])]
        return ", ".join(words)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "method": self.method,
            "mode": self.mode or None,
            "exposure_gain": self.gain,
            "frames": self.frames,
            "missing": self.missing,
            "undetected": self.undetected,
            **{name: round(value, 5) for name, value in sorted(self.numbers.items())},
        }


@dataclass
class Judges:
    """The networks that look at pictures; None where their weights are missing."""

    landmarker: FaceLandmarker
    lpips: Lpips | None
    embedding: FaceEmbedding | None


class Scorer:
    """Scores methods on the test frames of a clip; what is said of the footage is kept.

    Args:
        footage: The clip.
        test: Frame numbers, rising.
        judges: Networks.
        units: Distance of the outer eye corners without yaw, pixels, by frame.
    """

    def __init__(
        self, footage: Footage, test: Sequence[int], judges: Judges, units: dict[int, float]
    ) -> None:
        self._footage, self._test, self._judges, self._units = footage, test, judges, units
        self._slow = set(test[::SLOW_STRIDE])
        places = np.linspace(0, len(test) - 1, min(IDENTITY_FRAMES, len(test))).round()
        self._embedded = {test[int(place)] for place in places}
        self._features: dict[tuple[int, str], Features] = {}
        self._seen: dict[int, NDArray[np.float32] | None] = {}
        self._embeddings: dict[int, NDArray[np.float64] | None] = {}

    def row(
        self,
        method: Method,
        *,
        look: bool = True,
        quick: bool = False,
        tick: Callable[[float], None] = lambda _: None,
    ) -> Row:
        """Score a method.

        Args:
            method: Which.
            look: Whether faces are detected in its pictures.
            quick: Whether only pixels are compared, without any network.
            tick: Told the share of the frames that is done.
        """
        row = Row(method.name, method.mode, method.gain)
        found: dict[str, list[float]] = {}
        for done, index in enumerate(self._test):
            picture = method.frame(index)
            tick((done + 1) / len(self._test))
            if picture is None:
                row.missing += 1
                continue
            numbers = self._compare(picture, index)
            if index in self._slow and not quick:
                numbers |= self._lpips(picture, index)
            if look and not quick and index in self._slow | self._embedded:
                seen = self._look(picture, index)
                row.undetected += not seen
                numbers |= seen
            row.frames += 1
            row.psnr_by_frame.append((index, numbers["psnr"]))
            for name, value in numbers.items():
                found.setdefault(name, []).append(value)
        row.numbers = {
            name: float((np.median if name.startswith("landmarks") else np.mean)(values))
            for name, values in found.items()
        }
        return row

    def _compare(self, picture: NDArray[np.uint8], index: int) -> dict[str, float]:
        masks = self._footage.masks
        left, top, right, bottom = masks.bounds(index)
        # Nothing outside has a say, but what the filters reach; the picture may be much larger.
        first = max(top - _REACH, 0), max(left - _REACH, 0)
        crop = slice(first[0], bottom + _REACH), slice(first[1], right + _REACH)
        inner = slice(top - first[0], bottom - first[0]), slice(left - first[1], right - first[1])
        picture, truth = picture[crop], np.asarray(self._footage.pictures[index][crop])
        face = masks.region(index, "face")[crop]
        similarity = ssim_map(composite(picture, truth, face), truth)
        numbers = {
            "psnr": psnr(picture, truth, face),
            "ssim": float(similarity[inner].mean()),
            "ssim_inside": float(similarity[face].mean()),
            "sharpness": laplacian_energy(picture, face) / max(laplacian_energy(truth, face), 1e-6),
        }
        for name in BOXES:
            inside = masks.region(index, name)[crop]
            if inside.any():
                numbers[f"psnr_{name}"] = psnr(picture, truth, inside)
                numbers[f"ssim_{name}"] = float(similarity[inside].mean())
        return _with_eyes(numbers, ("psnr", "ssim"))

    def _lpips(self, picture: NDArray[np.uint8], index: int) -> dict[str, float]:
        network = self._judges.lpips
        if network is None:
            return {}
        truth, masks = np.asarray(self._footage.pictures[index]), self._footage.masks
        mixed = composite(picture, truth, masks.region(index, "face"))
        numbers = {}
        for name in ("face", *BOXES):
            box = masks.bounds(index) if name == "face" else masks.boxes[index][name]
            left, top, right, bottom = box
            if (index, name) not in self._features:
                self._features[index, name] = network.features(truth[top:bottom, left:right])
            features = network.features(mixed[top:bottom, left:right])
            distance = network.distance(features, self._features[index, name])
            numbers["lpips" if name == "face" else f"lpips_{name}"] = distance
        return _with_eyes(numbers, ("lpips",))

    def _look(self, picture: NDArray[np.uint8], index: int) -> dict[str, float]:
        """Detect the face in the method's picture; nothing where there is none."""
        seen = _largest(self._judges.landmarker, picture)
        if index not in self._seen:
            truth = np.ascontiguousarray(self._footage.pictures[index])
            self._seen[index] = _largest(self._judges.landmarker, truth)
        true = self._seen[index]
        if seen is None or true is None:
            return {}
        far = 100.0 * np.linalg.norm(seen - true, axis=1) / self._units[index]
        numbers = {
            f"landmarks_{name}": float(far[rows].mean()) for name, rows in LANDMARK_REGIONS.items()
        }
        network = self._judges.embedding
        if network is not None and index in self._embedded:
            if index not in self._embeddings:
                truth = np.ascontiguousarray(self._footage.pictures[index])
                self._embeddings[index] = network(truth, true)
            other = self._embeddings[index]
            if other is not None:
                numbers["identity"] = float(np.linalg.norm(network(picture, seen) - other))
        return numbers

    def reference_embeddings(self) -> list[NDArray[np.float64]]:
        """Return the embeddings of the test frames that were looked at."""
        return [one for one in self._embeddings.values() if one is not None]


def _largest(landmarker: FaceLandmarker, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    faces = landmarker.detect(np.ascontiguousarray(picture))
    return max(faces, key=lambda face: face.size).pixels if faces else None


def _with_eyes(numbers: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """Replace the two eyes by their mean."""
    for name in names:
        eyes = [numbers.pop(f"{name}_eye_{side}", None) for side in ("left", "right")]
        known = [value for value in eyes if value is not None]
        if known:
            numbers[f"{name}_eyes"] = float(np.mean(known))
    return numbers
