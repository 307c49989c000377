"""People who do not exist: a head drawn from a model's prior, and a painted atlas."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance import Texels
from lifemask.evaluation.synthetic._chart import Chart
from lifemask.evaluation.synthetic._complexion import Complexion, draw_complexion
from lifemask.evaluation.synthetic._parts import (
    paint_eye,
    paint_lashes,
    paint_mouth,
    paint_teeth,
    paint_tongue,
)
from lifemask.evaluation.synthetic._skin import paint_skin
from lifemask.heads import JOINT_NAMES, PART_NAMES, load_head_model
from lifemask.rigging import personal_head, scale_to_pupil_distance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.heads import Head, HeadModel

ATLAS_SIZE: Final = 1024
_IDENTITY: Final = 0.8
"""Standard deviation of the identity coefficients, whose prior has unit variance."""
_FURTHEST: Final = 2.0
_SHIPPED: Final = "lifemask-head"
_OFF_MODEL: Final = 0.0004
_REACH: Final = (0.012, 0.03)
"""Length scales, metres, of what a person has beside the model's modes."""
_PINNED: Final = ("eyelids", "sockets", "lips", "mouth", "neck")
"""Regions that stay as the model has them: eyes and lips must close, necks join bodies."""
_METALLIC: Final = 0.0
_ROUGH: Final = {
    "skin": 0.52, "mouth": 0.35, "tongue": 0.4, "teeth_upper": 0.22, "teeth_lower": 0.22,
    "eye_left": 0.08, "eye_right": 0.08, "lashes": 0.8,
}  # fmt: skip


@dataclass(frozen=True)
class SyntheticPerson:
    """One person with known truth.

    Attributes:
        seed: That drew the person.
        head: Geometry, shapes and joints: the truth.
        identity: `(n_modes,)` of the model; the head may have more than these say.
        textures: `albedo` `(size, size, 4)` uint8 sRGB without any light, and `orm`.
        look: The colours.
    """

    seed: int
    head: Head
    identity: NDArray[np.float32]
    textures: Mapping[str, NDArray[np.uint8]]
    look: Complexion


def synthetic_person(
    seed: int,
    *,
    model: HeadModel | None = None,
    darkness: float | None = None,
    off_model: float | None = None,
    pupil_distance: float | None = None,
    texture_size: int = ATLAS_SIZE,
) -> SyntheticPerson:
    """Draw a person: identity from the model's prior, a procedural skin of a random tone.

    Args:
        seed: The same seed gives the same person.
        model: Of the head; the shipped one when left out.
        darkness: Of the skin, 0 to 1; random when left out.
        off_model: Root mean square, metres, of smooth offsets that no identity mode explains, so
            that a fit with the same model is not handed its own answer. Lids, lips and neck have
            none. Left out, 0.4 mm for the shipped model and none for others.
        pupil_distance: Metres between the eye joints. Left out, it is drawn as adults have it
            (63 ± 3.5 mm) for the shipped model, whose prior has narrower eyes than people do;
            other models keep the size that they give.
        texture_size: Of the albedo, texels.
    """
    model = model or load_head_model()
    rng = np.random.default_rng([seed, 0xFACE])
    identity = np.clip(_IDENTITY * rng.standard_normal(model.mode_count), -_FURTHEST, _FURTHEST)
    head = model.head(identity)
    shipped = model.topology.asset_id == _SHIPPED
    off_model = off_model if off_model is not None else _OFF_MODEL * shipped
    if off_model > 0:
        head = replace(head, neutral=head.neutral + _offsets(model, off_model, rng))
    if pupil_distance is None and shipped:
        pupil_distance = float(np.clip(rng.normal(0.063, 0.0035), 0.055, 0.072))
    head = personal_head(scale_to_pupil_distance(head, pupil_distance) if pupil_distance else head)
    look = draw_complexion(rng, darkness)
    textures = paint_textures(model.head(), look, texture_size, seed)
    return SyntheticPerson(seed, head, identity.astype(np.float32), textures, look)


def paint_textures(
    head: Head, look: Complexion, size: int, seed: int
) -> dict[str, NDArray[np.uint8]]:
    """Paint the atlas of a head model.

    Args:
        head: The model's mean: colours are bound to places of the face, not of space.
        look: Colours.
        size: Of the albedo, texels.
        seed: Of everything fine.

    Returns:
        `albedo` `(size, size, 4)` uint8 sRGB, alpha is the coverage of the lashes; `orm`
        `(size / 2, size / 2, 3)` uint8.
    """
    picture = np.full((size * size, 4), 0.5, np.float32)
    picture[:, 3] = 1.0
    rough = np.full((size * size, 3), (1.0, 0.5, _METALLIC), np.float32)
    for part in PART_NAMES:
        texels = Texels.of(head.topology, size, (part,))
        if not len(texels.index):
            continue
        colours, coverage = _paint(part, texels, head, look, seed)
        picture[texels.index, :3] = colours
        rough[texels.index, 1] = _ROUGH[part]
        if coverage is not None:
            picture[texels.index, 3] = coverage
    albedo = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    orm = np.round(255 * rough).astype(np.uint8).reshape(size, size, 3)
    return {"albedo": albedo.reshape(size, size, 4), "orm": np.ascontiguousarray(orm[::2, ::2])}


def _paint(
    part: str, texels: Texels, head: Head, look: Complexion, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    points = 1000 * texels.spread(head.neutral)
    if part == "skin":
        chart = Chart(points, 1000 * head.landmarks(head.neutral))
        known = texels.topology.masks
        regions = {name: texels.mask(name) for name in ("ears", "hair") if name in known}
        return paint_skin(chart, look, regions, seed), None
    if part.startswith("eye"):
        joint = JOINT_NAMES.index("EyeLeft" if part == "eye_left" else "EyeRight")
        return paint_eye(points - 1000 * head.joints[joint], look, seed + 20), None
    if part == "mouth":
        return paint_mouth(points, look), None
    if part == "tongue":
        return paint_tongue(points, seed + 30), None
    if part == "lashes":
        coverage = np.zeros(len(points), np.float32)
        if "lash_along" in texels.topology.masks:
            along, tip = texels.mask("lash_along"), texels.mask("lash_tip")
            coverage = paint_lashes(along, tip, texels.mask("lash_lower"), seed)
        return np.tile(0.6 * look.hair, (len(points), 1)), coverage
    return paint_teeth(points, _mask(texels, "enamel", 1.0), _mask(texels, "tooth_gap")), None


def _mask(texels: Texels, name: str, default: float = 0.0) -> NDArray[np.float32]:
    if name in texels.topology.masks:
        return texels.mask(name)
    return np.full(len(texels.index), default, np.float32)


def _offsets(model: HeadModel, size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return smooth offsets `(n_vertices, 3)` m of the skin with the given root mean square."""
    skin = np.zeros(len(model.neutral), np.float32)
    skin[model.topology.parts["skin"].vertices] = 1.0
    for name in _PINNED:
        if name in model.topology.masks:
            skin *= np.clip(1 - 2 * model.topology.masks[name], 0, 1)
    total = np.zeros_like(model.neutral)
    for reach in _REACH:
        centres = model.neutral[rng.choice(np.flatnonzero(skin > 0.5), 90)]
        pushes = rng.standard_normal((90, 3)).astype(np.float32)
        for centre, push in zip(centres, pushes, strict=True):
            away = np.sum((model.neutral - centre) ** 2, axis=1)
            total += np.exp(-0.5 * away / reach**2)[:, None] * push * np.float32(reach)
    total *= skin[:, None]
    strength = np.sqrt(np.mean(np.sum(total[skin > 0.5] ** 2, axis=1)))
    return np.asarray(size / strength * total, np.float32)
