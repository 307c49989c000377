"""The landmark network in a package is the person's own where a clip shows them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from lifemask.avatar._evidence import Recording, Source
from lifemask.avatar._personal_regressor import personal_regressor
from lifemask.geometry import Camera, Pose
from lifemask.heads import load_head_model
from lifemask.rigging import BlendshapeRegressor, regression_model_bytes
from lifemask.tracking import LandmarkShape


def test_clips_make_the_network_personal():
    model = load_head_model().landmark_model()
    identity = 1.5 * np.random.default_rng(5).standard_normal(len(model.identity))
    shape = LandmarkShape.from_model(model, identity).with_meeting_lids()
    pose = Pose(np.eye(3), np.array([0.0, 0.0, -0.6]))
    rest = Camera(640, 480, 700.0).project(pose.apply(shape.points(np.zeros(52), np.zeros(4))))
    points = np.tile(rest, (40, 1, 1)).astype(np.float32)
    points[7] = np.nan
    coefficients = np.zeros((40, 52))
    coefficients[7] = np.nan
    clip = cast(Any, SimpleNamespace(points=points))
    sources = [
        Source(Path("photo.jpg"), cast(Any, None)),
        Source(Path("clip.mp4"), Recording(clip, cast(Any, None), cast(Any, None))),
    ]
    track = cast(Any, SimpleNamespace(source=1, coefficients=coefficients))
    made = personal_regressor(sources, [track])
    assert made != regression_model_bytes()
    mine, generic = BlendshapeRegressor(made), BlendshapeRegressor()
    assert mine.coefficients(rest).sum() < 0.5 * generic.coefficients(rest).sum()


def test_photos_alone_keep_the_generic_network():
    sources = [Source(Path("photo.jpg"), cast(Any, None))]
    assert personal_regressor(sources, []) == regression_model_bytes()
