"""Learning how a face changes its look from the clips of a build."""

from __future__ import annotations

import functools
import hashlib
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

    from lifemask.avatar._evidence import Source
    from lifemask.avatar._stage_records import Track
    from lifemask.avatar._stages import Stages
    from lifemask.avatar._stages_cache import Cache
    from lifemask.dynamics import DynamicTexture
    from lifemask.geometry import Camera
    from lifemask.heads import Head

FEWEST_FRAMES: Final = 24
"""From fewer nothing is learnt."""
_LIGHT_FRAMES: Final = 24
_BADLY_FITTED: Final = 2.5
"""Landmark error, multiple of the clip's median, from which a frame is left out."""


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


class ClipDynamics:
    """Learns dynamic textures from the clips of a build.

    Args:
        sources: The inputs.
        tracks: Of those that are clips.
        cameras: By number of the source.
        scale: How much larger `head` is than that of the tracks.
        head: In its final size.
        albedo: Its static texture.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        tracks: Sequence[Track],
        cameras: Mapping[int, Camera],
        scale: float,
        head: Head,
        albedo: NDArray[np.uint8],
    ) -> None:
        self._sources, self._tracks, self._cameras = sources, tracks, cameras
        self._scale, self._head, self._albedo = scale, head, albedo
        self._known: TextureSamples | None = None

    def learn(self, stages: Stages, key: str, *, network: bool) -> Learnt:
        """Run the stages, or take what they gave before.

        Args:
            stages: Runs and keeps them.
            key: Changes with all that they depend on.
            network: Train a texture network as well.
        """
        found = stages.kept(
            "learn the dynamic texture",
            ("dynamics", key),
            self._bases,
            Learnt.to_arrays,
            Learnt.from_arrays,
        )
        if not network or not found.dynamics:
            return found
        trained = stages.kept(
            "train the texture network",
            ("network", key),
            lambda told: self._network(told, stages.cache),
            Learnt.to_arrays,
            Learnt.from_arrays,
        )
        return Learnt({**trained.dynamics, **found.dynamics}, {**found.metrics, **trained.metrics})

    def _bases(self, told: Callable[[float], None]) -> Learnt:
        """Fit what is fitted in seconds, and measure it on frames that it was not fitted to."""
        samples = self._samples(lambda share: told(0.6 * share))
        if samples is None:
            return Learnt({}, {"dynamic_frames": 0})
        out = held_out(len(samples))
        ridges = best_ridges(samples.where(~out))
        told(0.7)
        known = fit_linear(samples.where(~out), ridges=ridges)
        errors = residual_errors(known, samples.where(out))
        told(0.8)
        dynamics: dict[str, DynamicTexture] = {"linear": fit_linear(samples, ridges=ridges)}
        told(0.9)
        dynamics["key"] = fit_key_textures(samples, self._head)
        metrics: dict[str, float | int | str | bool] = {
            "dynamic_frames": len(samples),
            "dynamic_unseen_shapes": " ".join(unseen_shapes(samples.inputs)),
        }
        for name, (before, after) in errors.items():
            metrics[f"dynamic_{name}_static_rms"] = round(before, 4)
            metrics[f"dynamic_{name}_linear_rms"] = round(after, 4)
        return Learnt(dynamics, metrics)

    def _network(self, told: Callable[[float], None], cache: Cache | None) -> Learnt:
        from lifemask.dynamics import NetworkTexture, train_network

        samples = self._samples(lambda share: told(0.05 * share))
        assert samples is not None
        key = samples_key(samples)
        checkpoint = None if cache is None else cache.scratch(f"training-{key}")
        trained = train_network(
            samples,
            checkpoint=checkpoint,
            progress=lambda stage, share: told(0.05 + 0.95 * share),
        )
        if checkpoint is not None:
            checkpoint.unlink(missing_ok=True)
        metrics = {f"dynamic_network_{name}": value for name, value in trained.metrics.items()}
        return Learnt({"network": NetworkTexture(trained.onnx, samples.layout)}, metrics)

    def _samples(self, told: Callable[[float], None]) -> TextureSamples | None:
        """Look the regions up in the frames that show most; None where there are too few."""
        if self._known is None:
            clips = [
                ClipFrames.of(
                    self._sources[one.source], one, self._cameras[one.source], self._scale
                )
                for one in self._tracks
                if one.source in self._cameras
            ]
            clips = [clip for clip in clips if len(clip.places)]
            if sum(len(clip.places) for clip in clips) >= FEWEST_FRAMES:
                self._known = learn_samples(clips, self._head, self._albedo, told)
        return self._known


def learn_samples(
    clips: Sequence[ClipFrames],
    head: Head,
    albedo: NDArray[np.uint8],
    told: Callable[[float], None],
) -> TextureSamples:
    """Look the regions up in the frames that show most, in the order of the clips and of time.

    Args:
        clips: All frames that may be learnt from; none is empty.
        head: In its final size.
        albedo: Its static texture.
        told: Hears how far it is.
    """
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


def samples_key(samples: TextureSamples) -> str:
    """Return a short name that changes with the samples."""
    digest = hashlib.sha256(samples.inputs.tobytes() + samples.gains.tobytes())
    return digest.hexdigest()[:24]


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
