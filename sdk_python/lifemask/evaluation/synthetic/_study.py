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
    lag_frames,
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
from lifemask.evaluation.synthetic._turn import compare_turn
from lifemask.heads import COEFFICIENT_INDEX, load_head_model
from lifemask.tracking import FACE_POINTS, REGIONS, LandmarkShape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask._progress import ProgressCallback
    from lifemask.evaluation.synthetic._clip import SyntheticClip
    from lifemask.evaluation.synthetic._truth import Truth
    from lifemask.geometry import Camera
    from lifemask.heads import Head, HeadModel
    from lifemask.tracking import FaceLandmarks, FrameSolution

HeadKind = Literal["own", "ict"]

SMILE: Final = {
    "mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5,
    "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3, "jawOpen": 0.1,
}  # fmt: skip
_FOREHEAD: Final = [9, 10, 67, 109, 151, 297, 338]
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
            document["detector"] = _detector_errors(self._detector)
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
        rows: dict[str, list[dict[str, Any]]] = {"detected": [], "projected": []}
        leaks, missed = [], 0
        for number in range(self.size.people):
            person = self._person(number, (number + 0.5) / self.size.people)
            heads: dict[str, Head] = {}
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
            **{name: _averaged(several) for name, several in rows.items() if several},
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
        gaze = gaze_errors(
            np.array([one.gaze for one in solved]),
            truth.gaze[rows],
            true_blinks(truth.coefficients[rows]),
        )
        document: dict[str, Any] = {
            "coefficients": coefficients.to_dict(),
            "gaze_degrees": float(gaze.mean()),
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
                document["forehead_jitter_mm"] = _jitter(solutions, head)
            else:
                document["lag_frames"] = _lags(solutions, clip.truth)
        return document


def _jitter(solutions: Sequence[FrameSolution | None], head: Head) -> float:
    """Return how far the forehead moves about its mean place, mm RMS, camera frame."""
    shape = LandmarkShape.from_head(head)
    places = np.array(
        [
            one.pose.apply(shape.points(one.coefficients)[_FOREHEAD])
            for one in solutions
            if one is not None
        ]
    )
    return float(1000 * np.sqrt(np.mean(np.sum((places - places.mean(axis=0)) ** 2, axis=2))))


def _lags(solutions: Sequence[FrameSolution | None], truth: Truth) -> dict[str, float]:
    rows = [i for i, one in enumerate(solutions) if one is not None]
    solved = [one for one in solutions if one is not None]
    lags = {}
    for name in ("jawOpen", "browInnerUp"):
        number = COEFFICIENT_INDEX[name]
        mine = np.array([one.coefficients[number] for one in solved])
        lags[name] = lag_frames(mine, truth.coefficients[rows, number])
    yaw = np.array([one.pose.rotation[0, 2] for one in solved])
    lags["yaw"] = lag_frames(yaw, truth.rotations[rows, 0, 2])
    return lags


def _averaged(several: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean of equal trees of numbers and of `Millimetres`."""
    from lifemask.evaluation.synthetic._surfaces import Millimetres

    first = several[0]
    out: dict[str, Any] = {}
    for name, value in first.items():
        values = [one[name] for one in several]
        if isinstance(value, dict):
            out[name] = _averaged(values)
        elif isinstance(value, Millimetres):
            out[name] = Millimetres.mean_of(values)
        else:
            out[name] = float(np.mean(np.abs(values)))
    return out


def _detector_errors(seen: Sequence[tuple[Truth, int, FaceLandmarks | None]]) -> dict[str, Any]:
    """Return how often faces are found and where landmarks lie, percent of the eye distance."""
    errors: dict[str, list[NDArray[np.float64]]] = {"0-20": [], "20-40": [], "40-65": []}
    found = 0
    for truth, frame, face in seen:
        if face is None:
            continue
        found += 1
        rotation, rest = truth.rotations[frame], truth.head.landmarks(truth.head.neutral)
        yaw = abs(float(np.degrees(np.arctan2(rotation[0, 2], rotation[2, 2]))))
        span = float(np.linalg.norm(rest[33] - rest[263]))
        unit = truth.camera.focal * span / -truth.translations[frame, 2]
        error = 100 * (face.pixels[:FACE_POINTS] - truth.landmarks(frame)[:FACE_POINTS]) / unit
        errors["0-20" if yaw < 20 else "20-40" if yaw < 40 else "40-65"].append(error)
    table: dict[str, Any] = {"pictures": len(seen), "found": found, "by_yaw": {}}
    for name, several in errors.items():
        if several:
            rows = np.array(several)
            groups = {"all": np.arange(FACE_POINTS), **REGIONS}
            table["by_yaw"][name] = {
                group: {
                    "error": float(np.linalg.norm(rows[:, points], axis=2).mean()),
                    "bias": [float(x) for x in rows[:, points].mean(axis=(0, 1))],
                }
                for group, points in groups.items()
            }
    return table
