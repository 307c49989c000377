"""Learning how a face changes its look from the clips of a build."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.avatar._evidence import Recording
from lifemask.dynamics import (
    Layout,
    SampleView,
    TextureSamples,
    best_ridges,
    choose_frames,
    clip_light_of,
    dynamic_input,
    face_layout,
    fit_key_textures,
    fit_linear,
    held_out,
    read_back_end,
    residual_errors,
    texture_samples,
    unseen_shapes,
    view_direction,
)
from lifemask.geometry import Pose, open_video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.avatar._build_stages import Track
    from lifemask.avatar._evidence import Source
    from lifemask.dynamics import DynamicTexture
    from lifemask.geometry import Camera
    from lifemask.heads import Head

FEWEST_FRAMES: Final = 24
"""From fewer nothing is learnt."""
_LIGHT_FRAMES: Final = 24
_BADLY_FITTED: Final = 2.5
"""Landmark error, multiple of the clip's median, from which a frame is left out."""

Metrics = "Mapping[str, float | int | str | bool]"


@dataclass(frozen=True)
class ClipFrames:
    """Frames of one clip that may be learnt from.

    Attributes:
        source: The clip.
        track: What the head does in it.
        camera: Of its pictures.
        places: `(n,)` among the track's frames, rising.
        poses: Of the head in its final size, one for each place.
        inputs: `(n, 59)`, see `dynamic_input`.
    """

    source: Source
    track: Track
    camera: Camera
    places: NDArray[np.int64]
    poses: Sequence[Pose]
    inputs: NDArray[np.float32]

    @classmethod
    def of(cls, source: Source, track: Track, camera: Camera, scale: float) -> ClipFrames:
        """Choose the frames that are sharp, well lit and well fitted.

        Args:
            source: The clip.
            track: What the head does in it.
            camera: Of its pictures.
            scale: How much larger the final head is than that of the track.
        """
        assert isinstance(source.content, Recording)
        good = source.content.verdict.for_texture & np.isfinite(track.error)
        if good.any():
            good &= track.error < _BADLY_FITTED * np.median(track.error[good])
        places = np.flatnonzero(good)
        poses = [Pose(track.rotation[i], scale * track.translation[i]) for i in places]
        inputs = [
            dynamic_input(track.coefficients[i], track.gaze[i], view_direction(pose))
            for i, pose in zip(places, poses, strict=True)
        ]
        return cls(source, track, camera, places, poses, np.reshape(inputs, (len(places), -1)))

    def where(self, chosen: NDArray[np.int64]) -> ClipFrames:
        """Return only the frames at these places of `places`, rising."""
        return ClipFrames(
            self.source,
            self.track,
            self.camera,
            self.places[chosen],
            [self.poses[i] for i in chosen],
            self.inputs[chosen],
        )

    def views(self) -> Iterator[SampleView]:
        """Read the frames, in one pass over the file."""
        assert isinstance(self.source.content, Recording)
        numbers = self.source.content.clip.numbers[self.places]
        place_of = {int(number): i for i, number in enumerate(numbers)}
        last = max(place_of, default=-1)
        for number, frame in open_video(self.source.path).numbered(frozenset(place_of)):
            i = place_of[number]
            place = int(self.places[i])
            coefficients, gaze = self.track.coefficients[place], self.track.gaze[place]
            yield SampleView(
                frame.image, self.camera, self.poses[i], coefficients, gaze, frame=number
            )
            if number == last:
                return


@dataclass(frozen=True)
class Learnt:
    """What was learnt from the clips.

    Attributes:
        dynamics: Dynamic textures by kind.
        metrics: For the manifest.
    """

    dynamics: Mapping[str, DynamicTexture]
    metrics: Mapping[str, float | int | str | bool]

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the content as arrays by name, for `from_arrays`."""
        arrays: dict[str, NDArray[Any]] = {"metrics": np.array(json.dumps(dict(self.metrics)))}
        for kind, texture in self.dynamics.items():
            arrays["layout"] = np.array(json.dumps(texture.layout.to_dict()))
            arrays["masks"] = texture.layout.masks()
            for name, data in texture.to_files().items():
                arrays[f"file/{kind}/{name}"] = np.frombuffer(data, np.uint8)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Learnt:
        """Rebuild what `to_arrays` gave.

        Raises:
            KeyError: An array is missing.
            ValueError: One is damaged.
        """
        files: dict[str, dict[str, bytes]] = {}
        for name, array in arrays.items():
            if name.startswith("file/"):
                _, kind, file = name.split("/", 2)
                files.setdefault(kind, {})[file] = array.tobytes()
        metrics = json.loads(str(arrays["metrics"]))
        if not files:
            return cls({}, metrics)
        layout = Layout.from_dict(json.loads(str(arrays["layout"])), arrays["masks"])
        return cls({kind: read_back_end(kind, own, layout) for kind, own in files.items()}, metrics)


def learn_samples(
    clips: Sequence[ClipFrames],
    head: Head,
    albedo: NDArray[np.uint8],
    told: Callable[[float], None],
) -> TextureSamples | None:
    """Look the regions up in the frames that show most; None where there are too few.

    Args:
        clips: All frames that may be learnt from.
        head: In its final size.
        albedo: Its static texture.
        told: Hears how far it is.
    """
    clips = [clip for clip in clips if len(clip.places)]
    if sum(len(clip.places) for clip in clips) < FEWEST_FRAMES:
        return None
    chosen = choose_frames(np.concatenate([clip.inputs for clip in clips]))
    layout = face_layout(head.topology)
    found, start, done = [], 0, 0
    for clip in clips:
        stop = start + len(clip.places)
        own = clip.where(chosen[(chosen >= start) & (chosen < stop)] - start)
        start = stop
        if not len(own.places):
            continue
        spread = np.linspace(0, len(own.places) - 1, min(_LIGHT_FRAMES, len(own.places)))
        few = own.where(np.unique(spread.round().astype(np.int64)))
        light = clip_light_of(head, albedo, list(few.views()), layout)
        views = _counted(own.views(), lambda n, at=done: told((at + n) / len(chosen)))
        found.append(texture_samples(head, albedo, views, layout, light))
        done += len(own.places)
    return _joined(found)


def learn_bases(
    samples: TextureSamples | None, head: Head, told: Callable[[float], None]
) -> Learnt:
    """Fit what is fitted in seconds, and measure it on frames that it was not fitted to."""
    if samples is None:
        return Learnt({}, {"dynamic_frames": 0})
    out = held_out(len(samples))
    ridges = best_ridges(samples.where(~out))
    told(0.2)
    errors = residual_errors(fit_linear(samples.where(~out), ridges=ridges), samples.where(out))
    told(0.5)
    dynamics: dict[str, DynamicTexture] = {"linear": fit_linear(samples, ridges=ridges)}
    told(0.8)
    dynamics["key"] = fit_key_textures(samples, head)
    metrics: dict[str, float | int | str | bool] = {
        "dynamic_frames": len(samples),
        "dynamic_unseen_shapes": " ".join(unseen_shapes(samples.inputs)),
    }
    for name, (before, after) in errors.items():
        metrics[f"dynamic_{name}_static_rms"] = round(before, 4)
        metrics[f"dynamic_{name}_linear_rms"] = round(after, 4)
    return Learnt(dynamics, metrics)


def _counted(views: Iterator[SampleView], told: Callable[[int], None]) -> Iterator[SampleView]:
    for number, view in enumerate(views):
        yield view
        told(number + 1)


def _joined(parts: Sequence[TextureSamples]) -> TextureSamples:
    names = ("inputs", "targets", "weights", "frames", "gains")
    arrays = {
        name: functools.reduce(
            lambda a, b: np.concatenate([a, b]), [getattr(one, name) for one in parts]
        )
        for name in names
    }
    return TextureSamples(layout=parts[0].layout, **arrays)
