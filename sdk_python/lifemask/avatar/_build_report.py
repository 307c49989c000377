"""What a build observed, chose and spent."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._files import write_bytes
from lifemask.avatar._stages_cache import RETENTION_DAYS
from lifemask.geometry import MESH_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lifemask.appearance import BakedTextures
    from lifemask.avatar._evidence import Source
    from lifemask.avatar._stage_records import Person, Track
    from lifemask.avatar._stages import StageCost, Stages

BUILD_NAME: Final = "build.json"
_BADLY_FITTED: Final = 2.5
"""Landmark error, multiple of the clip's median, from which a tracked frame counts as bad."""


@dataclass(frozen=True)
class BuildReport:
    """What a build observed, chose and spent.

    Attributes:
        clips: One mapping for each clip, as in `capture.json` without the frames.
        metrics: As in the avatar's manifest.
        stages: Seconds and memory of each stage.
        cache: Where results are kept; None for a build from photos alone.
    """

    clips: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, float | int | str | bool]
    stages: Sequence[StageCost]
    cache: Path | None

    @classmethod
    def of(
        cls,
        sources: Sequence[Source],
        person: Person,
        tracks: Sequence[Track],
        baked: BakedTextures,
        stages: Stages,
    ) -> BuildReport:
        """Collect what the stages found."""
        from lifemask.avatar._capture_summary import summarise
        from lifemask.avatar._evidence import Recording

        clips = [
            summarise(source.path.name, source.content)
            for source in sources
            if isinstance(source.content, Recording)
        ]
        errors = [fit.error_interocular for fit in person.fits]
        metrics: dict[str, float | int | str | bool] = {
            "pictures": len(person.fits),
            "texture_pictures": sum(picture.textured for picture in person.pictures),
            "landmark_error_interocular_median": round(float(np.median(errors)), 5),
            "focal_length_px": round(float(person.fits[0].camera.focal), 1),
            **_clip_metrics(clips, tracks),
            **_scan_metrics(person, sources),
            **person.shapes,
            **baked.metrics,
        }
        place = stages.cache.place if stages.cache is not None else None
        return cls(clips, metrics, tuple(stages.costs), place)

    def finished(self, stages: Stages) -> BuildReport:
        """Return the report with the cost of the stages that ran since."""
        return dataclasses.replace(self, stages=tuple(stages.costs))

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `build.json`."""
        return {
            "clips": [dict(clip) for clip in self.clips],
            "metrics": dict(self.metrics),
            "stages": [dataclasses.asdict(cost) for cost in self.stages],
            "seconds": round(sum(cost.seconds for cost in self.stages), 3),
            "peak_mebibytes": round(max(cost.peak_mebibytes for cost in self.stages), 1),
            "cache": None if self.cache is None else str(self.cache),
            "retention_days": RETENTION_DAYS,
        }

    def write(self, folder: Path) -> None:
        """Write `build.json` beside the capture report.

        Raises:
            ExportError: It cannot be written.
        """
        write_bytes(folder / BUILD_NAME, json.dumps(self.to_dict(), indent=1).encode())

    def lines(self) -> list[str]:
        """Return the report for people, a line for each clip and fact."""
        lines = []
        for clip in self.clips:
            skipped = ", ".join(f"{n} {why}" for why, n in clip["skipped"].items())
            low, high = clip["yaw_deg"]
            lines.append(
                f"{clip['name']}: {clip['frames_usable']} of {clip['frames']} frames usable"
                + (f" (left out: {skipped})" if skipped else "")
                + f", yaw {low:.0f} to {high:.0f}°, {clip['blinks']} blinks, "
                f"{len(clip['shape_frames'])} chosen for the shape and "
                f"{len(clip['texture_frames'])} for the skin"
            )
        return lines


def _scan_metrics(
    person: Person, sources: Sequence[Source]
) -> Mapping[str, float | int | str | bool]:
    from lifemask.avatar._scan_evidence import scan_metrics

    if person.scan is None:
        return {}
    drawn = {source.path.suffix.lower() for source in sources} <= MESH_SUFFIXES
    return scan_metrics(person.scan, photographed=not drawn)


def _clip_metrics(
    clips: Sequence[Mapping[str, Any]], tracks: Sequence[Track]
) -> dict[str, float | int | str | bool]:
    """Return counts and coverage over all clips, flat; nothing where there is no clip."""
    from lifemask.avatar._capture_judge import REASONS

    if not clips:
        return {}
    errors = [track.error[np.isfinite(track.error)] for track in tracks]
    bad = sum(int((one > _BADLY_FITTED * np.median(one)).sum()) for one in errors if len(one))
    left_out = {
        f"frames_left_out_{reason.replace(' ', '_')}": sum(
            clip["skipped"].get(reason, 0) for clip in clips
        )
        for reason in REASONS
    }
    return {
        "clips": len(clips),
        "frames": sum(clip["frames"] for clip in clips),
        "frames_usable": sum(clip["frames_usable"] for clip in clips),
        **left_out,
        "frames_badly_fitted": bad,
        "tracking_error_interocular_median": round(float(np.median(np.concatenate(errors))), 5),
        "yaw_lowest_deg": min(clip["yaw_deg"][0] for clip in clips),
        "yaw_highest_deg": max(clip["yaw_deg"][1] for clip in clips),
        "blinks": sum(clip["blinks"] for clip in clips),
        "mouth_open_highest": max(clip["mouth_open"][1] for clip in clips),
        "exposure_drift_stops": max(clip["exposure_drift_stops"] for clip in clips),
    }
