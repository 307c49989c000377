"""The stages of a build, each a function of what the stages before it found."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lifemask.avatar import _evidence as evidence
from lifemask.avatar._build_checks import is_video
from lifemask.avatar._capture_choice import choose_frames
from lifemask.avatar._capture_clip import Clip
from lifemask.avatar._capture_judge import judge
from lifemask.avatar._capture_parallel import observe_clip
from lifemask.avatar._evidence import Photo, Picture, Recording, Source
from lifemask.avatar._evidence_refusals import Refusals
from lifemask.avatar._stage_records import (
    Job,
    Person,
    Track,
    pack_head,
    track_of,
    unpack_head,
)
from lifemask.avatar._stages import Stages, file_hash, fingerprint
from lifemask.tracking import FaceLandmarker, LandmarkShape, Performer, solve_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.appearance import BakedTextures, FittedHair
    from lifemask.avatar._clip_dynamics import Learnt
    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import PhotoFit

Told = "Callable[[float], None]"


class Build:
    """The stages of one build, in the order in which they run.

    Args:
        job: What is to be built.
        stages: Runs, keeps and measures the stages.
        model: Of the head.
    """

    def __init__(self, job: Job, stages: Stages, model: HeadModel) -> None:
        self._job = job
        self._stages = stages
        self._model = model
        self._refusals = Refusals(stages.cache)
        self._keys: list[str] = []
        self._shape_key = ""

    def observe(self) -> list[Photo | Clip]:
        """Look at every photo and at every frame of every clip."""
        found: list[Photo | Clip] = []
        with FaceLandmarker() as landmarker:
            for number, path in enumerate(self._job.paths):
                if is_video(path):
                    found.append(self._observe_clip(number, path))
                else:
                    found.append(self._observe_photo(path, landmarker))
        return found

    def choose(self, found: Sequence[Photo | Clip]) -> list[Source]:
        """Judge all frames and choose those that the head is made from."""
        return self._stages.run("choose the frames", lambda told: self._choose(found))

    def identify(self, sources: Sequence[Source]) -> Person:
        """Solve one identity over all chosen pictures and shape the head by what they show."""
        pictures = evidence.chosen_pictures(sources)
        self._shape_key = fingerprint(
            inputs=self._keys,
            pictures=[(one.source, one.place) for one in pictures],
            head=self._model.topology.asset_sha256,
        )

        def work(told: Callable[[float], None]) -> Person:
            fits = evidence.fit_pictures(pictures, self._model)
            told(0.8)
            plain = self._model.head(fits[0].identity)
            self._refusals.refuse_strangers(sources, pictures, fits, plain)
            head, fits = self._shaped(plain, sources, pictures, fits)
            return Person(pictures, fits, head)

        def pack(person: Person) -> dict[str, NDArray[Any]]:
            return evidence.pack_fits(person.fits) | pack_head(person.head)

        def unpack(arrays: Mapping[str, NDArray[Any]]) -> Person:
            fits = evidence.unpack_fits(arrays, pictures)
            head = self._model.head(fits[0].identity)
            return Person(pictures, fits, unpack_head(arrays, head))

        place = ("identity", self._shape_key)
        person = self._stages.kept("solve the identity", place, work, pack, unpack)
        return self._personal(person, sources)

    def identify_scan(
        self, scan: Path, sources: Sequence[Source]
    ) -> tuple[Sequence[Source], Person]:
        """Take the shape from a scan, and fit the pictures to it.

        Returns:
            The sources, or pictures drawn of the scan where there are none, and the person.
        """
        from lifemask.avatar._scan_evidence import drawn_pictures, fit_to_head, scan_fit

        pictures = evidence.chosen_pictures(sources)
        self._shape_key = fingerprint(
            inputs=self._keys,
            scan=file_hash(scan),
            pictures=[(one.source, one.place) for one in pictures],
            head=self._model.topology.asset_sha256,
        )
        fit = self._stages.run("fit the scan", lambda told: scan_fit(scan, self._model))
        if not pictures:
            sources, pictures, fits = drawn_pictures(scan, fit)
        else:
            fits = self._stages.run(
                "fit the pictures to the scan",
                lambda told: fit_to_head(pictures, fit.head, fit.identity),
            )
        return sources, self._personal(Person(pictures, fits, fit.head, fit))

    def track(self, sources: Sequence[Source], person: Person) -> list[Track]:
        """Solve expression, gaze and pose in every frame of every clip."""
        tracks = []
        for number, source in enumerate(sources):
            if isinstance(source.content, Recording):
                tracks.append(self._track_clip(number, source, source.content.clip, person))
        return tracks

    def track_and_refine(
        self, sources: Sequence[Source], person: Person
    ) -> tuple[Person, list[Track]]:
        """Track all clips, refine the shapes by key expressions, and track again if that helps."""
        tracks = self.track(sources, person)
        if not tracks:
            return person, tracks
        refined = self._refined(sources, person, tracks)
        if refined.shapes["shapes_refined"]:
            self._shape_key = fingerprint(shape=self._shape_key, shapes="refined")
            tracks = self.track(sources, refined)
        return refined, tracks

    def bake(self, sources: Sequence[Source], person: Person) -> BakedTextures:
        """Make the textures from the chosen pictures."""
        from lifemask.appearance import BakedTextures, bake_textures

        chosen = [i for i, picture in enumerate(person.pictures) if picture.textured]

        def work(told: Callable[[float], None]) -> BakedTextures:
            images = evidence.texture_images(sources, person.pictures)
            told(0.05)
            return bake_textures(
                person.head,
                images,
                [person.fits[i] for i in chosen],
                size=self._job.texture_size,
                groups=[person.pictures[i].source for i in chosen],
            )

        key = fingerprint(shape=self._shape_key, chosen=chosen, size=self._job.texture_size)
        return self._stages.kept(
            "bake the textures",
            ("appearance", key),
            work,
            evidence.pack_record,
            lambda arrays: evidence.unpack_record(BakedTextures, arrays),
        )

    def hair(self, sources: Sequence[Source], person: Person) -> FittedHair | None:
        """Fit a cap of hair to the pictures that the textures are made from."""
        from lifemask.appearance import FittedHair, fit_hair_cap

        chosen = [i for i, picture in enumerate(person.pictures) if picture.textured]

        def work(told: Callable[[float], None]) -> FittedHair | None:
            images = evidence.texture_images(sources, person.pictures)
            return fit_hair_cap(person.head, images, [person.fits[i] for i in chosen])

        key = fingerprint(shape=self._shape_key, chosen=chosen, stage="hair")
        return self._stages.kept(
            "fit the hair",
            ("hair", key),
            work,
            lambda fitted: {} if fitted is None else fitted.to_arrays(),
            lambda arrays: FittedHair.from_arrays(arrays) if arrays else None,
        )

    def regressor(self, sources: Sequence[Source], tracks: Sequence[Track]) -> bytes:
        """Fit the landmark network to the person, where clips show them."""
        from lifemask.avatar._personal_regressor import personal_regressor

        if not tracks:
            return personal_regressor(sources, tracks)
        return self._stages.run(
            "fit the landmark network", lambda told: personal_regressor(sources, tracks)
        )

    def learn(
        self,
        sources: Sequence[Source],
        person: Person,
        tracks: Sequence[Track],
        head: Head,
        albedo: NDArray[np.uint8],
    ) -> Learnt:
        """Learn the dynamic textures from the clips, or compute what all faces share.

        Args:
            sources: The inputs.
            person: Who is shown.
            tracks: Of the clips; without any, and where they show too little, folds and shadows
                of expressions are computed from the head.
            head: Of the person, in its final size.
            albedo: Its static texture.
        """
        from lifemask.avatar._clip_dynamics import Learnt
        from lifemask.dynamics import face_layout, generic_key_textures

        learnt = Learnt({}, {})
        if tracks:
            learnt = self._learn_clips(sources, person, tracks, head, albedo)
        if learnt.dynamics:
            return learnt
        layout = face_layout(head.topology)
        texture = self._stages.run(
            "compute folds and shadows", lambda told: generic_key_textures(head, layout, albedo)
        )
        return Learnt({texture.kind: texture}, {**learnt.metrics, "dynamic_generic": True})

    def _learn_clips(
        self,
        sources: Sequence[Source],
        person: Person,
        tracks: Sequence[Track],
        head: Head,
        albedo: NDArray[np.uint8],
    ) -> Learnt:
        from lifemask.avatar._clip_dynamics import ClipDynamics
        from lifemask.rigging import scale_between

        cameras = {}
        for picture, fit in zip(person.pictures, person.fits, strict=True):
            cameras.setdefault(picture.source, fit.camera)
        scale = scale_between(person.head, head)
        key = fingerprint(
            shape=self._shape_key,
            scale=round(scale, 9),
            head=[
                hashlib.sha256(np.ascontiguousarray(one).tobytes()).hexdigest()
                for one in (head.neutral, head.expression_deltas, albedo)
            ],
            tracks=[hashlib.sha256(one.coefficients.tobytes()).hexdigest() for one in tracks],
        )
        clips = ClipDynamics(sources, tracks, cameras, scale, head, albedo)
        return clips.learn(self._stages, key, network=self._job.network)

    def _personal(self, person: Person, sources: Sequence[Source] = ()) -> Person:
        """Give a person their own rest and shapes, and solve the pictures with them."""
        from lifemask.avatar._rest_evidence import rested_head
        from lifemask.rigging import personal_head, shape_metrics, solved_again

        def work(told: Callable[[float], None]) -> Person:
            rested = rested_head(person.head, sources, person.pictures, person.fits)
            head = personal_head(rested)
            told(0.5)
            fits = person.fits if person.scan is not None else solved_again(head, person.fits)
            return dataclasses.replace(person, head=head, fits=fits, shapes=shape_metrics(head))

        return self._stages.run("make the shapes personal", work)

    def _refined(
        self, sources: Sequence[Source], person: Person, tracks: Sequence[Track]
    ) -> Person:
        """Refine a person's shapes by what their clips show."""
        from lifemask.rigging import TrackedClip, refine_from_clips, shape_metrics, solved_again

        clips = []
        for track in tracks:
            content = sources[track.source].content
            own = [i for i, one in enumerate(person.pictures) if one.source == track.source]
            if isinstance(content, Recording):
                camera = person.fits[own[0]].camera
                clips.append(TrackedClip(content.clip.faces, camera, track.coefficients))

        def work(told: Callable[[float], None]) -> Person:
            found = refine_from_clips(person.head, clips)
            told(0.8)
            shapes = shape_metrics(found.head, found)
            fits = solved_again(found.head, person.fits) if found.accepted else person.fits
            return dataclasses.replace(person, head=found.head, fits=fits, shapes=shapes)

        return self._stages.run("refine the shapes", work)

    def _shaped(
        self,
        plain: Head,
        sources: Sequence[Source],
        pictures: Sequence[Picture],
        fits: Sequence[PhotoFit],
    ) -> tuple[Head, Sequence[PhotoFit]]:
        """Give the head what landmarks and outlines show beside the model's modes."""
        from lifemask.rigging import align_to_landmarks, outline_pictures, refine_shape

        head = align_to_landmarks(plain, fits)
        turned = outline_pictures(fits)
        if not turned:
            return head, fits
        images = evidence.picture_images(sources, [pictures[i] for i in turned])
        return refine_shape(head, self._model, fits, dict(zip(turned, images, strict=True)))

    def _observe_photo(self, path: Path, landmarker: FaceLandmarker) -> Photo:
        stage = f"find the face in {path.name}"
        photo = self._stages.run(
            stage, lambda told: evidence.read_photo(path, landmarker, self._job.face)
        )
        self._keys.append(fingerprint(photo=file_hash(path), face=self._job.face))
        return photo

    def _observe_clip(self, number: int, path: Path) -> Clip:
        limit = self._job.frames.get(number)
        key = fingerprint(
            clip=file_hash(path), limit=None if limit is None else list(limit), face=self._job.face
        )
        self._keys.append(key)
        clip = self._stages.kept(
            f"follow the face in {path.name}",
            ("observe", key),
            lambda told: observe_clip(
                path, limit=limit, choice=self._job.face, workers=self._job.workers, told=told
            ),
            Clip.to_arrays,
            Clip.from_arrays,
        )
        self._refusals.refuse_clip(path, clip, self._job.face)
        return clip

    def _choose(self, found: Sequence[Photo | Clip]) -> list[Source]:
        clips = [one for one in found if isinstance(one, Clip)]
        verdicts = [judge(clip) for clip in clips]
        recordings = iter(
            Recording(*parts)
            for parts in zip(clips, verdicts, choose_frames(clips, verdicts), strict=True)
        )
        sources = [
            Source(path, one if isinstance(one, Photo) else next(recordings))
            for path, one in zip(self._job.paths, found, strict=True)
        ]
        for source in sources:
            if isinstance(source.content, Recording):
                self._refusals.refuse_unusable(source.path, source.content)
        return sources

    def _track_clip(self, number: int, source: Source, clip: Clip, person: Person) -> Track:
        own = [i for i, one in enumerate(person.pictures) if one.source == number]

        def work(told: Callable[[float], None]) -> Track:
            performer = Performer(
                LandmarkShape.from_head(person.head),
                person.fits[own[0]].camera,
                person.fits[0].identity,
                tuple(person.fits[i] for i in own),
            )
            solved = solve_clip(clip.faces, performer, rate_hz=clip.rate_hz)
            return track_of(number, clip.times, solved)

        return self._stages.kept(
            f"track {source.path.name}",
            ("track", fingerprint(shape=self._shape_key, source=number)),
            work,
            evidence.pack_record,
            lambda arrays: evidence.unpack_record(Track, arrays),
        )
