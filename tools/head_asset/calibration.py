"""Where MediaPipe reports its landmarks on people, measured on the fitted head.

    python tools/head_asset/calibration.py random_face-2021.7.21.1-py3-none-any.whl

A landmarker that sees a plain render puts lips, brows and outline a few millimetres off from
where it puts them on people, and every fit would explain that by a false expression. So the
head is fitted to faces of people who do not exist (`tools/demo_portrait.py` samples them; the
demo portrait is not among them), and each landmark moves on the skin by what is left over on
average. Result: `landmarks.csv`, 468 points in metres on the mean head, which `build.py` embeds.
Needs `openvino` beside lifemask; takes some minutes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from lifemask.tracking import FACE_POINTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lifemask.heads import HeadModel, LandmarkModel
    from lifemask.tracking import FaceLandmarks

CALIBRATED_PATH = Path(__file__).with_name("landmarks.csv")

_SEEDS = range(250)
_DEMO_SEED = 81
_TRUNCATION = 0.6
_ROUNDS = 12
_STEP = 0.8
_NEIGHBOURS = 60
_STRAY = 0.006

# fmt: off
UPPER_LIP = (
    0, 11, 12, 13, 37, 38, 39, 40, 41, 42, 72, 73, 74, 80, 81, 82, 185, 191,
    267, 268, 269, 270, 271, 272, 302, 303, 304, 310, 311, 312, 409, 415,
)
LOWER_LIP = (
    14, 15, 16, 17, 77, 84, 85, 86, 87, 88, 89, 90, 91, 95, 96, 146, 178, 179, 180, 181,
    307, 314, 315, 316, 317, 318, 319, 320, 321, 324, 325, 375, 402, 403, 404, 405,
)
# fmt: on
_LIP_DROP = -0.013
"""Movement in y, metres, under `jawOpen` that tells the upper lip from the lower one."""


def calibrated_points(path: Path = CALIBRATED_PATH) -> NDArray[np.float64]:
    """Return `(468, 3)` m on the mean head."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [[float(row[axis]) for axis in "xyz"] for row in csv.DictReader(file)]
    return np.array(rows)


def embed_face(
    points: NDArray[np.float64],
    vertices: NDArray[np.float64],
    jaw_open: NDArray[np.float64],
    faces: NDArray[np.integer],
    *,
    lip_drop: float = _LIP_DROP,
    neighbours: int = _NEIGHBOURS,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the closest skin face `(468,)` and barycentric coordinates `(468, 3)`.

    The lips touch at rest, so lip landmarks look only at faces of their own lip.

    Args:
        points: `(468, 3)` m.
        vertices: `(n_vertices, 3)` m, the mean head.
        jaw_open: `(n_vertices, 3)` m, the shape that parts the lips.
        faces: `(n_faces, 3)` skin only.
        lip_drop: Movement in y, metres, under `jaw_open` that parts the lips from each other.
        neighbours: Faces near a point that are tried; more of them on a finer mesh.
    """
    near = cKDTree(vertices[faces].mean(axis=1)).query(points, k=neighbours)[1]
    drop = jaw_open[faces, 1].mean(axis=1)
    allowed = np.ones((len(points), neighbours), bool)
    allowed[list(UPPER_LIP)] = drop[near[list(UPPER_LIP)]] > lip_drop
    allowed[list(LOWER_LIP)] = drop[near[list(LOWER_LIP)]] < lip_drop
    chosen = np.zeros(len(points), np.int64)
    weights = np.zeros((len(points), 3))
    for row, point in enumerate(points):
        candidates = near[row][allowed[row]] if allowed[row].any() else near[row]
        distance, barycentric = _closest(point, vertices[faces[candidates]])
        best = int(np.argmin(distance))
        chosen[row], weights[row] = candidates[best], barycentric[best]
    return chosen, weights


def _closest(
    point: NDArray[np.float64], triangles: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distances `(n,)` and barycentric coordinates `(n, 3)` of the closest points.

    Outside a triangle the coordinates are clipped, which is close enough between neighbours.
    """
    a = triangles[:, 0]
    ab, ac = triangles[:, 1] - a, triangles[:, 2] - a
    basis = np.stack([ab, ac], axis=2)
    st = np.linalg.pinv(basis) @ (point - a)[:, :, None]
    s, t = st[:, 0, 0], st[:, 1, 0]
    weights = np.clip(np.stack([1 - s - t, s, t], axis=1), 0.0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    reached = np.einsum("nk,nkd->nd", weights, triangles)
    return np.linalg.norm(reached - point, axis=1), weights


def calibrate(
    model: HeadModel,
    pictures: list[FaceLandmarks],
    *,
    lip_drop: float = _LIP_DROP,
    neighbours: int = _NEIGHBOURS,
) -> NDArray[np.float64]:
    """Return `(468, 3)` m: the landmarks moved on the mean head until fits have no bias.

    Args:
        model: With a first embedding.
        pictures: Of people who show little expression.
        lip_drop: As for `embed_face`.
        neighbours: As for `embed_face`.
    """
    from lifemask.heads import COEFFICIENT_INDEX

    skin = model.topology.faces[model.topology.parts["skin"].faces]
    jaw = model.expression_deltas[COEFFICIENT_INDEX["jawOpen"]].astype(np.float64)
    neutral = model.neutral.astype(np.float64)
    points = _symmetric(_without_strays(model.landmark_model().neutral[:FACE_POINTS]))
    for number in range(_ROUNDS):
        chosen, weights = embed_face(
            points, neutral, jaw, skin, lip_drop=lip_drop, neighbours=neighbours
        )
        restricted = _restricted(model, skin[chosen], weights)
        error, shift = _left_over(restricted, pictures)
        print(
            f"round {number}: error {100 * error:.2f} % of the inter-ocular distance, "
            f"bias {1000 * np.linalg.norm(shift, axis=1).mean():.2f} mm"
        )
        points = _symmetric(restricted.neutral[:FACE_POINTS] + _STEP * shift)
    chosen, weights = embed_face(
        points, neutral, jaw, skin, lip_drop=lip_drop, neighbours=neighbours
    )
    return np.einsum("lk,lkd->ld", weights, neutral[skin[chosen]])


def _without_strays(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put landmarks that lie far from where their mirror images want them onto those places."""
    from lifemask.tracking import MIRRORED

    partner = points[MIRRORED[:FACE_POINTS]] * (-1.0, 1.0, 1.0)
    stray = np.linalg.norm(points - partner, axis=1) > _STRAY
    centre = np.median(points, axis=0)
    farther = np.linalg.norm(points - centre, axis=1) > np.linalg.norm(partner - centre, axis=1)
    return np.where((stray & farther)[:, None], partner, points)


def _restricted(
    model: HeadModel, corners: NDArray[np.integer], weights: NDArray[np.float64]
) -> LandmarkModel:
    """Return the landmark model with the face points at other places."""
    base = model.landmark_model()

    def at(values: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.einsum("lk,...lkd->...ld", weights, values[..., corners, :].astype(np.float64))

    def joined(values: NDArray[np.float32], old: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([at(values), old[..., FACE_POINTS:, :]], axis=-2)

    return replace(
        base,
        neutral=joined(model.neutral, base.neutral),
        identity=joined(model.identity_basis, base.identity),
        expressions=joined(model.expression_deltas, base.expressions),
    )


def _left_over(
    model: LandmarkModel, pictures: list[FaceLandmarks]
) -> tuple[float, NDArray[np.float64]]:
    """Fit all pictures; return the median error and the mean displacement `(468, 3)` m."""
    from lifemask.tracking import LandmarkShape, SolveSettings, facing_weights, fit_photo

    # Portraits are taken from about a metre; left free, perspective would take its share of the
    # bias, and every later fit would repeat that.
    settings = SolveSettings(distance_guess=1.0, distance=0.1)
    total, share, errors = np.zeros((FACE_POINTS, 3)), np.zeros((FACE_POINTS, 1)), []
    for face in pictures:
        fit = fit_photo(face, model, settings=settings)
        points = LandmarkShape.from_model(model, fit.identity).points(fit.coefficients)
        points = points[:FACE_POINTS]
        seen_from = fit.pose.apply(points)
        pixels = face.pixels[:FACE_POINTS] - fit.camera.project(seen_from)
        metres = pixels * (1, -1) * (-seen_from[:, 2:] / fit.camera.focal)
        weight = facing_weights(points, fit.pose.rotation)[:, None]
        total += weight * (metres @ fit.pose.rotation[:2])
        share += weight
        errors.append(fit.error_interocular)
    return float(np.median(errors)), _symmetric(total / share)


def _symmetric(points: NDArray[np.float64]) -> NDArray[np.float64]:
    from lifemask.tracking import MIRRORED

    return 0.5 * (points + points[MIRRORED[:FACE_POINTS]] * (-1.0, 1.0, 1.0))


def sample(wheel: Path, seeds: Iterable[int] = _SEEDS) -> list[FaceLandmarks]:
    """Return landmarks of sampled faces that show little expression."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from demo_portrait import Generator
    from lifemask.tracking import FaceLandmarker

    generator, chosen = Generator(wheel), []
    with FaceLandmarker() as landmarker:
        for seed in seeds:
            if seed == _DEMO_SEED:
                continue
            faces = landmarker.detect(generator.sample(seed, _TRUNCATION))
            if len(faces) == 1 and _calm(faces[0]):
                chosen.append(faces[0])
    return chosen


def _calm(face: FaceLandmarks) -> bool:
    smile = max(face.scores["mouthSmileLeft"], face.scores["mouthSmileRight"])
    return smile < 0.6 and face.scores["jawOpen"] < 0.1


def main() -> None:
    """Parse the command line and write the points."""
    from lifemask.heads import load_head_model

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="random_face-2021.7.21.1-py3-none-any.whl")
    parser.add_argument("-o", "--output", type=Path, default=CALIBRATED_PATH)
    arguments = parser.parse_args()
    pictures = sample(arguments.wheel)
    print(f"{len(pictures)} faces")
    points = calibrate(load_head_model(), pictures)
    with arguments.output.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow("xyz")
        writer.writerows([f"{value:.5f}" for value in point] for point in points)


if __name__ == "__main__":
    main()
