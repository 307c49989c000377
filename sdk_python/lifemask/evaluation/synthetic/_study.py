"""The measurements on synthetic heads: photos, clips, still and waving heads, a turn."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from lifemask._progress import no_progress
from lifemask.evaluation.synthetic._albedo import albedo_errors
from lifemask.evaluation.synthetic._channels import (
    CoefficientErrors,
    gaze_errors,
    pose_errors,
    true_blinks,
)
from lifemask.evaluation.synthetic._comparison import Comparison
from lifemask.evaluation.synthetic._generate import (
    clip_a,
    clip_b,
    still_clip,
    synthetic_portrait,
    waving_clip,
)
from lifemask.evaluation.synthetic._leak import identity_leak
from lifemask.evaluation.synthetic._person import SyntheticPerson, synthetic_person
from lifemask.evaluation.synthetic._pipeline import (
    built,
    detected,
    detected_in,
    focal_of,
    head_from_clips,
    head_from_photos,
    projected,
    tracked,
)
from lifemask.evaluation.synthetic._sizes import SIZES, StudySize
from lifemask.evaluation.synthetic._summaries import averaged, detector_errors, jitter, lags
from lifemask.evaluation.synthetic._turn import compare_turn
from lifemask.heads import load_head_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifemask._progress import ProgressCallback
    from lifemask.evaluation.synthetic._clip import SyntheticClip
    from lifemask.evaluation.synthetic._truth import Truth
    from lifemask.geometry import Camera
    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import FaceLandmarks

HeadKind = Literal["own", "ict"]

SMILE: Final = {
    "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5,
    "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3, "jawOpen": 0.1,
}  # fmt: skip
_FIRST: Final = 101
"""Seed of the first person."""


@dataclass
class Study:
    """One head model's synthetic people, measured.

    Args:
        kind: `"own"` for the shipped head, `"ict"` for ICT-FaceKit.
        size: How much.
        model_path: ICT-FaceKit's file.
        folder: Where footage and pictures are kept; a temporary one when left out.
        progress: Told which stage runs.
    """

    kind: HeadKind
    size: StudySize = SIZES["default"]
    model_path: Path | None = None
    folder: Path | None = None
    progress: ProgressCallback = no_progress

    def run(self) -> dict[str, Any]:
        """Measure everything and return plain numbers by name, see `tables`."""
        with tempfile.TemporaryDirectory() as temporary:
            self._place = self.folder or Path(temporary)
            self._place.mkdir(parents=True, exist_ok=True)
            self._seconds: dict[str, float] = {}
            self._detector: list[tuple[Truth, int, FaceLandmarks | None]] = []
            document: dict[str, Any] = {"head": self.kind, "size": vars(self.size)}
            self._model = self._load()
            missing = self._model.meta.get("unavailable")
            self._unavailable = tuple(missing) if isinstance(missing, list) else ()
            document["photos"] = self._timed("photos", self._photos)
            document["clips"] = self._timed("clips", self._clips)
            document["temporal"] = self._timed("temporal", self._temporal)
            document["detector"] = detector_errors(self._detector)
            document["seconds"] = self._seconds
            return document

    def _load(self) -> HeadModel:
        return load_head_model() if self.kind == "own" else load_head_model("ict", self.model_path)

    def _timed(self, name: str, stage: Any) -> Any:
        self.progress(f"synthetic {name}, {self.kind} head", 0.0)
        started = time.perf_counter()
        result = stage()
        self._seconds[name] = round(time.perf_counter() - started, 1)
        self.progress(f"synthetic {name}, {self.kind} head", 1.0)
        return result

    def _person(self, number: int, darkness: float | None = None) -> SyntheticPerson:
        return synthetic_person(
            _FIRST + number,
            model=self._model,
            darkness=darkness,
            texture_size=self.size.atlas,
        )

    def _photos(self) -> dict[str, Any]:
        """Build each person from single photos, at rest and smiling."""
        rows: dict[str, list[dict[str, Any]]] = {"detected": [], "projected": [], "mean_head": []}
        mean = load_head_model().head()
        leaks, missed = [], 0
        for number in range(self.size.people):
            person = self._person(number, (number + 0.5) / self.size.people)
            heads: dict[str, Head] = {}
            rows["mean_head"].append(Comparison.of(mean, person.head).neutral())
            for light in range(self.size.lights):
                clip = self._portrait(person, 50 * number + light)
                path, face = detected_in(clip, self._place, f"photo-{number}-{light}")
                self._detector.append((clip.truth, 0, face))
                near, _ = head_from_photos(projected(clip.truth, light))
                rows["projected"].append(Comparison.of(near, person.head).neutral())
                if face is None:
                    missed += 1
                    continue
                heads.setdefault("rest", built([path], 256).head)
                head = heads["rest"] if light == 0 else built([path], 256).head
                rows["detected"].append(Comparison.of(head, person.head).neutral())
            smiling = self._portrait(person, 50 * number, SMILE)
            path, face = detected_in(smiling, self._place, f"smile-{number}")
            self._detector.append((smiling.truth, 0, face))
            if face is not None and "rest" in heads:
                leaks.append(identity_leak(heads["rest"], built([path], 256).head))
        return {
            **{name: averaged(several) for name, several in rows.items() if several},
            "pictures": self.size.people * self.size.lights,
            "without_face": missed,
            "leak_smile_mm": float(np.mean(leaks)) if leaks else None,
        }

    def _portrait(
        self, person: SyntheticPerson, place: int, expression: dict[str, float] | None = None
    ) -> SyntheticClip:
        return synthetic_portrait(
            person.seed,
            person=person,
            expression=expression,
            light_seed=place,
            size=self.size.portrait,
        )

    def _clips(self) -> dict[str, Any]:
        """Build one person from Clip A and Clip B, track Clip B, look at the turn."""
        size, person = self.size, self._person(0)
        options: dict[str, Any] = {"person": person, "rate_hz": size.rate_hz, "size": size.clip}
        turn = clip_a(_FIRST, seconds=size.clip_a_seconds, **options)
        acts = clip_b(_FIRST, seconds=size.clip_b_seconds, **options)
        paths = [turn.write(self._place / "clip_a.mp4"), acts.write(self._place / "clip_b.mp4")]
        seen = [detected(path) for path in paths]
        for clip, faces in zip((turn, acts), seen, strict=True):
            self._detector += [(clip.truth, i, face) for i, face in enumerate(faces)]
        known = [projected(clip.truth, 1) for clip in (turn, acts)]
        head, camera = head_from_clips([*known[0], *known[1]])
        avatar = built(paths, size.texture)
        document = {
            "frames": [len(turn), len(acts)],
            "found": [sum(face is not None for face in faces) for faces in seen],
            "projected": self._followed(head, camera, known[1], acts),
            "detected": self._followed(
                avatar.head, focal_of(avatar, acts.truth.camera), seen[1], acts
            ),
            "detected_true_head": self._followed(
                person.head, acts.truth.camera, seen[1], acts, coefficients_only=True
            ),
        }
        if self.kind == "own":
            document["albedo"] = albedo_errors(avatar, person)
        document["turn"] = compare_turn(avatar, turn, self._place)
        self._subject = (person, avatar.head, focal_of(avatar, acts.truth.camera))
        return document

    def _followed(
        self,
        head: Head,
        camera: Camera,
        faces: Sequence[FaceLandmarks | None],
        clip: SyntheticClip,
        *,
        coefficients_only: bool = False,
    ) -> dict[str, Any]:
        """Track a clip with a head and compare with the truth."""
        truth = clip.truth
        solutions = tracked(faces, head, camera, clip.rate_hz)
        rows = [i for i, one in enumerate(solutions) if one is not None]
        solved = [one for one in solutions if one is not None]
        coefficients = CoefficientErrors.of(
            np.array([one.coefficients for one in solved]),
            truth.coefficients[rows],
            self._unavailable,
        )
        looked = np.array([one.gaze for one in solved])
        level = looked - np.median(looked - truth.gaze[rows], axis=0)
        blinks = true_blinks(truth.coefficients[rows])
        gaze, moved = (gaze_errors(one, truth.gaze[rows], blinks) for one in (looked, level))
        document: dict[str, Any] = {
            "coefficients": coefficients.to_dict(),
            "gaze_degrees": float(gaze.mean()),
            "gaze_without_offset_degrees": float(moved.mean()),
        }
        if not coefficients_only:
            comparison = Comparison.of(head, truth.head)
            middle = truth.head.landmarks(truth.head.neutral)[[1, 6]].mean(axis=0)
            poses = [one.pose for one in solved], [truth.pose(i) for i in rows]
            document |= {
                "neutral": comparison.neutral(),
                "moving": comparison.moving(solutions, truth, max(1, len(truth) // 150)),
                "size_error_percent": 100 * comparison.size_error,
                "pose": vars(pose_errors(*poses, comparison.frame(), middle)),
                "focal_error_percent": 100 * (camera.focal / truth.camera.focal - 1),
            }
        return document

    def _temporal(self) -> dict[str, Any]:
        """Track a head that stands still, and one that swings."""
        person, head, camera = self._subject
        options: dict[str, Any] = {
            "person": person,
            "seconds": self.size.test_seconds,
            "rate_hz": self.size.test_rate_hz,
            "size": self.size.clip,
        }
        document: dict[str, Any] = {}
        for name, clip in (
            ("still", still_clip(_FIRST, **options)),
            ("waving", waving_clip(_FIRST, **options)),
        ):
            faces = detected(clip.write(self._place / f"{name}.mp4", truth=False))
            solutions = tracked(faces, head, camera, clip.rate_hz)
            if name == "still":
                document["forehead_jitter_mm"] = jitter(solutions, head)
            else:
                document["lag_frames"] = lags(solutions, clip.truth)
        return document
