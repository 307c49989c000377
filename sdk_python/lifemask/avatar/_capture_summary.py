"""Numbers about a recording: coverage, blinks, mouth, light, and why frames were left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.avatar._capture_choice import YAW_BIN, unrest
from lifemask.avatar._capture_judge import REASONS, crowded, searched_for_others
from lifemask.heads import COEFFICIENT_INDEX

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.avatar._capture_clip import Clip
    from lifemask.avatar._evidence import Recording

_CLOSED: Final = 0.5
_OPEN_AGAIN: Final = 0.3
_UNEVEN: Final = 1.5
"""Ratio of a long to a usual interval between frames from which the frame rate is variable."""


def summarise(name: str, recording: Recording) -> dict[str, Any]:
    """Return what a capture report says about one clip, ready for JSON.

    Args:
        name: Of the file.
        recording: The clip, judged, with its choice.
    """
    clip, verdict, choice = recording.clip, recording.verdict, recording.choice
    return {
        "name": name,
        "width": clip.width,
        "height": clip.height,
        "rate_hz": round(clip.rate_hz, 3),
        "variable_rate": bool(_is_uneven(clip)),
        "truncated": clip.truncated,
        "seconds": round(float(clip.times[-1] - clip.times[0]), 3) if len(clip) else 0.0,
        "frames": len(clip),
        "frames_with_face": int(clip.seen.sum()),
        "frames_usable": int(verdict.for_shape.sum()),
        "skipped": verdict.counts(),
        "yaw_bins_deg": yaw_bins(clip, verdict.for_shape),
        "yaw_deg": _range(np.rad2deg(clip.yaw)),
        "pitch_deg": _range(np.rad2deg(clip.pitch)),
        "blinks": blinks(clip),
        "mouth_open": _range(clip.mouth_open),
        "exposure_drift_stops": _drift(clip),
        "frames_searched_for_others": searched_for_others(clip),
        "frames_with_others": len(crowded(clip)),
        "shape_frames": clip.numbers[list(choice.shape)].tolist(),
        "texture_frames": clip.numbers[list(choice.texture)].tolist(),
    }


def frame_table(recording: Recording) -> list[dict[str, Any]]:
    """Return one row for each frame of a clip, ready for JSON."""
    clip, verdict, choice = recording.clip, recording.verdict, recording.choice
    shape, texture = set(choice.shape), set(choice.texture)
    return [
        {
            "frame": int(clip.numbers[i]),
            "seconds": round(float(clip.times[i]), 4),
            "yaw_deg": _number(np.rad2deg(clip.yaw[i]), 1),
            "pitch_deg": _number(np.rad2deg(clip.pitch[i]), 1),
            "sharpness": _number(verdict.sharpness[i], 3),
            "covered": _number(verdict.covered[i], 3),
            "exposure_stops": _number(verdict.exposure[i], 3),
            "unrest": _number(unrest(clip.face(i)), 2) if clip.seen[i] else None,
            "left_out": REASONS[reason] if reason >= 0 else None,
            "shape": i in shape,
            "texture": i in texture,
        }
        for i, reason in enumerate(verdict.reasons.tolist())
    ]


def yaw_bins(clip: Clip, usable: NDArray[np.bool_]) -> dict[str, int]:
    """Return the number of usable frames by yaw, in bins of 10° named by their middle."""
    bins = np.floor(clip.yaw[usable] / YAW_BIN + 0.5).astype(int)
    width = round(float(np.rad2deg(YAW_BIN)))
    values, counts = np.unique(bins, return_counts=True)
    return {str(width * int(v)): int(c) for v, c in zip(values, counts, strict=True)}


def blinks(clip: Clip) -> int:
    """Count the blinks: both eyes close and open again, by the landmarker's own scores."""
    closed, count = False, 0
    eyes = [COEFFICIENT_INDEX["eyeBlinkLeft"], COEFFICIENT_INDEX["eyeBlinkRight"]]
    for score in clip.scores[clip.seen][:, eyes].mean(axis=1):
        if not closed and score > _CLOSED:
            closed, count = True, count + 1
        elif closed and score < _OPEN_AGAIN:
            closed = False
    return count


def _is_uneven(clip: Clip) -> bool:
    steps = np.diff(clip.times) / np.maximum(np.diff(clip.numbers), 1)
    return len(steps) > 2 and float(np.percentile(steps, 99)) > _UNEVEN * float(np.median(steps))


def _drift(clip: Clip) -> float:
    if not clip.seen.any():
        return 0.0
    low, high = np.nanpercentile(np.log2(np.maximum(clip.luminance, 1e-6)), [5, 95])
    return round(float(high - low), 3)


def _range(values: NDArray[np.floating]) -> list[float]:
    if not np.isfinite(values).any():
        return [0.0, 0.0]
    return [round(float(v), 3) for v in np.nanpercentile(values, [1, 99])]


def _number(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
