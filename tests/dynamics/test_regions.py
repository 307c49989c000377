"""Regions of the head atlas: where they lie, how they fade, what a package may say of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lifemask import InputError, PackageError
from lifemask.dynamics import (
    SKIN_REGIONS,
    Layout,
    face_layout,
    layout_texels,
    region_patches,
)
from lifemask.heads import PART_NAMES, load_head_model


@pytest.fixture(scope="module")
def topology():
    return load_head_model().topology


@pytest.fixture(scope="module")
def layout(topology):
    return face_layout(topology)


def test_regions_share_no_packed_texel_and_fill_most_of_the_square(layout):
    taken = np.zeros((layout.size, layout.size), int)
    for region in layout.regions:
        assert region.mask.shape == region.place[:1:-1]
        taken[region.window] += 1
    assert taken.max() == 1
    assert taken.mean() > 0.95


def test_a_rectangle_touches_no_island_of_another_part(topology, layout):
    texels = layout_texels(topology, layout)
    part = np.zeros(len(topology.faces), int)
    for number, name in enumerate(PART_NAMES):
        part[topology.parts[name].faces] = number
    for name in PART_NAMES:
        corners = topology.uv[topology.faces_uv[topology.parts[name].faces]].reshape(-1, 2)
        low, high = corners.min(axis=0), corners.max(axis=0)
        for number, region in enumerate(layout.regions):
            u0, v0, u1, v1 = region.uv
            own = PART_NAMES.index(name) in part[texels.face[texels.region == number]]
            apart = u1 <= low[0] or u0 >= high[0] or v1 <= low[1] or v0 >= high[1]
            if name != "skin" and region.name not in SKIN_REGIONS:
                assert own or apart, (name, region.name)


def test_regions_over_skin_fade_to_nothing_at_their_borders(layout):
    for name in SKIN_REGIONS:
        mask = layout.region(name).mask
        assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
        assert mask.max() == 255
        steps = max(np.abs(np.diff(mask.astype(int), axis=k)).max() for k in (0, 1))
        assert steps < 128 or name in ("forehead", "face"), name


def test_where_regions_meet_their_masks_add_up_to_about_one(layout):
    total = np.zeros((1024, 1024))
    weighted = np.repeat(layout.masks()[..., None] / np.float32(255), 3, axis=2)
    for _, rows, columns, patch in region_patches((1024, 1024), weighted, layout):
        total[rows, columns] += patch[..., 0] / 255
    assert total.max() < 1.25
    cheeks_and_mouth = total[440:720, 240:780]
    assert cheeks_and_mouth.min() > 0.75


def test_the_mouth_has_the_resolution_of_a_face_of_300_pixels(topology, layout):
    model = load_head_model()
    skin = model.topology.faces[topology.parts["skin"].faces]
    face = np.unique(skin[(topology.masks["face"] > 0.9)[skin].all(axis=1)])
    per_metre = 300 / np.ptp(model.neutral[face, 0])
    texels = layout_texels(topology, layout)
    mouth = [one.name for one in layout.regions].index("mouth")
    own = np.flatnonzero(texels.region == mouth)
    at = np.einsum(
        "nk,nkd->nd", texels.barycentric[own], model.neutral[topology.faces[texels.face[own]]]
    )
    grid = np.full((layout.size, layout.size, 3), np.nan)
    grid.reshape(-1, 3)[texels.index[own]] = at
    steps = np.linalg.norm(np.diff(grid, axis=1), axis=2) * per_metre
    assert np.nanmedian(steps) <= 1.05  # Pixels of such a face from one texel to the next.


@pytest.mark.parametrize(("profile", "size"), [("web", 128), ("mobile", 256), ("high", 512)])
def test_profiles_pack_the_same_regions_into_other_sizes(topology, layout, profile, size):
    other = face_layout(topology, profile)
    assert other.size == size
    for one, two in zip(layout.regions, other.regions, strict=True):
        assert one.uv == two.uv
        assert tuple(x * size // 256 for x in one.place) == two.place


def test_an_unknown_profile_is_refused(topology):
    with pytest.raises(InputError, match="no texture profile"):
        face_layout(topology, "huge")  # type: ignore[arg-type]


def test_a_layout_survives_its_record(layout):
    again = Layout.from_dict(json.loads(json.dumps(layout.to_dict())), layout.masks())
    assert again.to_dict() == layout.to_dict()
    assert np.array_equal(again.masks(), layout.masks())


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: d.update(schema=99), "schema"),
        (lambda d: d.update(size=10**9), "size"),
        (lambda d: d.update(size=128), "size"),
        (lambda d: d.update(regions=[]), "regions"),
        (lambda d: d.update(regions=[7]), "record"),
        (lambda d: d["regions"][0].update(place=[0, 0, 10**6, 4]), "place"),
        (lambda d: d["regions"][0].update(place=[200, 0, 184, 120]), "outside"),
        (lambda d: d["regions"][0].update(place=[0, 0, 0, 4]), "place"),
        (lambda d: d["regions"][1].update(place=d["regions"][0]["place"]), "share"),
        (lambda d: d["regions"][0].update(uv=[0.5, 0.5, 0.2, 0.9]), "rectangle"),
        (lambda d: d["regions"][0].update(uv=[0, 0, float("nan"), 1]), "rectangle"),
        (lambda d: d["regions"][0].update(scale=float("inf")), "scale"),
        (lambda d: d["regions"][0].update(scale=True), "scale"),
        (lambda d: d["regions"][0].update(name="../x"), "name"),
    ],
)
def test_a_hostile_record_is_refused(layout, change, problem):
    value = json.loads(json.dumps(layout.to_dict()))
    change(value)
    with pytest.raises(PackageError, match=problem):
        Layout.from_dict(value, layout.masks())
