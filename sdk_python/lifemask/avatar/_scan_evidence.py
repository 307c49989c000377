"""A scan as what an avatar is built from: its shape, and its looks where it has them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.avatar._evidence import Photo, Picture, Source
from lifemask.geometry import Camera, Pose, axis_angle_matrix, read_mesh
from lifemask.heads import IRIS_ANGLE, JOINT_NAMES, PUPIL_ANGLE, LandmarkModel
from lifemask.rigging import PLAIN_SKIN, PaintedMesh, ScanFit, draw_mesh, fit_scan
from lifemask.tracking import FaceLandmarker, FaceLandmarks, PhotoFit, fit_photos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head, HeadModel

_YAWS: Final = (0.0, -38.0, 38.0)
"""Degrees by which the head is turned in the pictures that are drawn of a scan."""
_SIZE: Final = 1280
_DISTANCE: Final = 1.2
_MIDDLE: Final = np.array([0.0, 0.01, 0.06])
_FIELD: Final = 0.30
"""Metres that a picture is wide at the head."""

_LIPS: Final = (0.69, 0.45, 0.41)
_WHITE: Final = (0.90, 0.88, 0.86)
_IRIS: Final = (0.33, 0.27, 0.22)
_TEETH: Final = (0.86, 0.83, 0.76)
_MOUTH: Final = (0.35, 0.14, 0.14)


def scan_fit(path: Path, model: HeadModel) -> ScanFit:
    """Read a scan and fit the head to it.

    Raises:
        InputError: See `read_mesh` and `fit_scan`.
    """
    with FaceLandmarker() as landmarker:
        return fit_scan(read_mesh(path), model, landmarker)


def fit_to_head(
    pictures: Sequence[Picture], head: Head, identity: NDArray[np.float64]
) -> list[PhotoFit]:
    """Fit pose, camera and expression of pictures to a head whose shape is known.

    Args:
        pictures: At least one.
        head: Of the person.
        identity: Its modes, which the fits repeat.
    """
    eyes = [JOINT_NAMES.index("EyeLeft"), JOINT_NAMES.index("EyeRight")]
    known = LandmarkModel(
        neutral=head.landmarks(head.neutral).astype(np.float64),
        # One mode that moves nothing: nothing of the shape is left to be solved.
        identity=np.zeros((1, *head.landmarks(head.neutral).shape)),
        expressions=np.stack([head.landmarks(d) for d in head.expression_deltas]).astype(float),
        eye_centres=head.joints[eyes].astype(np.float64),
        eye_identity=np.zeros((1, 2, 3)),
    )
    alone = len({picture.source for picture in pictures}) == 1 and pictures[0].place is not None
    fits = fit_photos([picture.face for picture in pictures], known, same_camera=alone)
    return [replace(fit, identity=identity) for fit in fits]


def drawn_pictures(path: Path, fit: ScanFit) -> tuple[list[Source], list[Picture], list[PhotoFit]]:
    """Draw the scan from the front and both sides, as photos whose every number is known.

    A scan without colours is not drawn: the fitted head is, in a plain skin.

    Args:
        path: Of the scan, by which errors name the pictures.
        fit: Of the head.
    """
    mesh = fit.surface if fit.coloured else _plain(fit.head)
    sources, pictures, fits = [], [], []
    for number, yaw in enumerate(_YAWS):
        rotation = axis_angle_matrix([0.0, np.radians(yaw), 0.0])
        pose = Pose(rotation, np.array([0.0, 0.0, -_DISTANCE]) - rotation @ _MIDDLE)
        camera = Camera(_SIZE, _SIZE, _SIZE * _DISTANCE / _FIELD)
        marks = pose.apply(fit.head.landmarks(fit.head.neutral).astype(np.float64))
        points = np.c_[camera.project(marks), -marks[:, 2]].astype(np.float32)
        face = FaceLandmarks(points, _SIZE, _SIZE)
        image = draw_mesh(replace(mesh, shaded=False), camera, pose)
        sources.append(Source(path, Photo(image, face)))
        pictures.append(Picture(number, None, face, True))
        zero = np.zeros(52), np.zeros(4)
        fits.append(PhotoFit(fit.identity, *zero, pose, camera, 0.0, face))
    return sources, pictures, fits


def scan_metrics(fit: ScanFit, photographed: bool) -> dict[str, float | int | str | bool]:
    """Return what the manifest says of a scan."""
    if photographed:
        looks = "from the pictures"
    else:
        looks = "from the scan" if fit.coloured else "plain: the scan has no colours"
    return {
        "scan_unit": fit.unit,
        "scan_distance_mm_mean": round(fit.distance_mm["mean"], 4),
        "scan_distance_mm_median": round(fit.distance_mm["median"], 4),
        "scan_distance_mm_90_percent": round(fit.distance_mm["90_percent"], 4),
        "appearance": looks,
    }


def _plain(head: Head) -> PaintedMesh:
    """Return the head in one skin colour, with lips, eyes and teeth told apart."""
    topology = head.topology
    colours = np.tile(PLAIN_SKIN, (len(head.neutral), 1))
    for name, colour in (("lips", _LIPS), ("mouth", _MOUTH)):
        mask = topology.masks[name][:, None]
        colours = colours * (1.0 - mask) + np.array(colour) * mask
    for part in ("teeth_upper", "teeth_lower"):
        colours[topology.parts[part].vertices] = _TEETH
    colours[topology.parts["tongue"].vertices] = _MOUTH
    for part, joint in (("eye_left", "EyeLeft"), ("eye_right", "EyeRight")):
        run = topology.parts[part].vertices
        away = head.neutral[run] - head.joints[JOINT_NAMES.index(joint)]
        angle = np.arccos(away[:, 2] / np.linalg.norm(away, axis=1))[:, None]
        colours[run] = np.where(angle < 1.05 * IRIS_ANGLE, _IRIS, _WHITE)
        colours[run] = np.where(angle < 1.05 * PUPIL_ANGLE, 0.03, colours[run])
    solid = topology.faces[: topology.parts["lashes"].faces.start]
    return PaintedMesh(head.neutral.astype(np.float64), solid, colours)
