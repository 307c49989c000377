"""A file laid out as FLAME's, made from the default head: nobody may ship the real one."""

from __future__ import annotations

import pickle
import sys
import types

import numpy as np
from scipy.sparse import csc_matrix

from lifemask.heads import load_head_model

VERTICES, FACES = 5023, 9976


class Ch:
    """Pickles as chumpy's class does."""

    def __init__(self, x):
        self.__dict__["x"] = x


def arrays() -> dict:
    """Skin and eyeballs of the default head, filled up to FLAME's numbers."""
    model = load_head_model()
    parts = model.topology.parts
    runs = [parts[name].vertices for name in ("skin", "eye_left", "eye_right")]
    rows = np.concatenate([np.arange(run.start, run.stop) for run in runs])
    number = np.full(len(model.neutral), -1)
    number[rows] = np.arange(len(rows))
    faces = np.concatenate(
        [model.topology.faces[parts[p].faces] for p in ("skin", "eye_left", "eye_right")]
    )
    filled = np.zeros((FACES, 3), np.uint32)
    filled[: len(faces)] = number[faces]
    extra = VERTICES - len(rows)

    def stretched(values):
        return np.concatenate([values[rows], np.repeat(values[:1], extra, axis=0)])

    shapes = np.zeros((VERTICES, 3, 400))
    for mode in range(88):
        shapes[:, :, mode] = stretched(model.identity_basis[mode])
    weights = np.zeros((VERTICES, 5))
    skin, left, right = (run.stop - run.start for run in runs)
    weights[:, 1] = 1.0
    weights[skin : skin + left] = np.eye(5)[3]
    weights[skin + left : skin + left + right] = np.eye(5)[4]
    regressor = np.zeros((5, VERTICES))
    for joint, start, count in ((3, skin, left), (4, skin + left, right)):
        regressor[joint, start : start + count] = 1 / count
    return {
        "v_template": stretched(model.neutral.astype(float)),
        "shapedirs": shapes,
        "posedirs": np.zeros((VERTICES, 3, 36)),
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        "f": filled,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def pickled(changes: dict | None = None) -> bytes:
    """Return the pickle as it is distributed: chumpy arrays and a sparse matrix."""
    data = arrays() | (changes or {})
    module = types.ModuleType("chumpy.ch")
    module.Ch = Ch
    sys.modules |= {"chumpy": types.ModuleType("chumpy"), "chumpy.ch": module}
    Ch.__module__ = "chumpy.ch"
    try:
        data["shapedirs"] = Ch(data["shapedirs"])
        data["J_regressor"] = csc_matrix(data["J_regressor"])
        return pickle.dumps(data, protocol=2)
    finally:
        del sys.modules["chumpy"], sys.modules["chumpy.ch"]
        Ch.__module__ = __name__
