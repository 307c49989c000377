"""Shapes for heads of other topologies: a finer mesh in shuffled order, pieces, files, errors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lifemask
from glb_file import GlbFile
from lifemask import InputError, NoFaceError
from lifemask.avatar._rig import read_landmarks
from lifemask.geometry import Mesh, add_morph_targets, axis_angle_matrix, mesh_to_glb, read_mesh
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES, load_head_model
from lifemask.rigging import personal_head, rig_mesh
from lifemask.rigging._rig import FEWEST_POINTS
from needs import ict, require

_TURN = axis_angle_matrix([np.pi / 2, 0.0, 0.0])
"""The test's head lies on its back."""


@pytest.fixture(scope="module")
def head():
    model = load_head_model()
    return model.head(0.6 * np.random.default_rng(3).standard_normal(model.mode_count))


@pytest.fixture(scope="module")
def finer(head):
    """A head of four times as many faces in shuffled order, in centimetres, and its landmarks."""
    model = load_head_model()
    points = model.subdivision.refine(head.neutral).astype(np.float64)
    order = np.random.default_rng(5).permutation(len(points))
    place = np.argsort(order)
    faces = place[_fine_faces(model)].astype(np.int32)
    mesh = Mesh(100.0 * points[order] @ _TURN.T + [3.0, -50.0, 7.0], faces)
    marks = 100.0 * head.landmarks(head.neutral) @ _TURN.T + [3.0, -50.0, 7.0]
    return mesh, marks.astype(np.float64), order


def _fine_faces(model) -> np.ndarray:
    """Triangles of the finer level; eyes and teeth, which are not divided, as they are."""
    quads = model.subdivision.quads
    fine = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    matrix = model.subdivision.matrix.tocsr()
    single = np.flatnonzero(np.diff(matrix.indptr) == 1)
    place = np.full(len(model.neutral), -1)
    place[matrix.indices[matrix.indptr[single]]] = single
    names = ("teeth_upper", "teeth_lower", "eye_left", "eye_right")
    parts = [model.topology.parts[name] for name in names]
    coarse = np.concatenate([place[model.topology.faces[part.faces]] for part in parts])
    assert coarse.min() >= 0
    used = np.isin(fine, coarse).any(axis=1)
    return np.concatenate([fine[~used], coarse])


@pytest.fixture(scope="module")
def rigged(finer):
    mesh, marks, _ = finer
    return rig_mesh(mesh, None, landmarks=marks)


def _in_head_frame(rigged, name: str) -> np.ndarray:
    delta = rigged.deltas[COEFFICIENT_INDEX[name]].astype(np.float64)
    return 0.01 * delta @ _TURN


def test_a_finer_head_moves_like_our_own(head, finer, rigged) -> None:
    model = load_head_model()
    own = personal_head(head)
    skin = np.flatnonzero(model.subdivision.matrix @ model.topology.masks["face"] > 0.5)
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkLeft", "mouthPucker"):
        wanted = model.subdivision.refine(own.expression_deltas[COEFFICIENT_INDEX[name]])
        found = np.empty_like(wanted)
        found[finer[2]] = _in_head_frame(rigged, name)
        strong = skin[np.linalg.norm(wanted[skin], axis=1) > 0.003]
        away = np.linalg.norm((found - wanted)[strong], axis=1)
        share = np.mean(away) / np.linalg.norm(wanted[strong], axis=1).mean()
        # A blink is made to close on the mesh's own lids.
        assert share < (0.3 if name == "eyeBlinkLeft" else 0.1), name


def test_lids_and_lips_of_the_mesh_meet(finer, rigged) -> None:
    gaps = rigged.gaps_mm(finer[0])
    assert set(gaps) == {"eye_left", "eye_right", "mouth"}
    for least, most in gaps.values():
        assert -1.0 <= least <= most <= 1.0


def test_pieces_are_known_and_move_as_they_should(finer, rigged) -> None:
    model = load_head_model()
    assert {"skin", "eye", "teeth_upper", "teeth_lower", "tongue", "follows"} == set(
        rigged.pieces.kinds
    )
    place = rigged.pieces.place
    kinds = np.array(rigged.pieces.kinds)[rigged.pieces.piece[place]]
    for kind in ("eye", "teeth_upper"):
        assert not rigged.deltas[:, kinds == kind].any()
    teeth = np.flatnonzero(kinds == "teeth_lower")[::9]
    before = 0.01 * finer[0].points[teeth] @ _TURN
    after = before + _in_head_frame(rigged, "jawOpen")[teeth]
    assert np.linalg.norm(after - before, axis=1).min() > 0.005
    apart = [np.linalg.norm(one[:, None] - one, axis=2) for one in (before, after)]
    np.testing.assert_allclose(*apart, atol=2e-5)
    assert len(kinds) == len(model.subdivision.refine(model.neutral))


def test_a_glb_keeps_what_it_has_and_gains_named_targets(tmp_path, finer, rigged) -> None:
    mesh = finer[0]
    raw, source = mesh_to_glb(mesh, generator="test")
    document = GlbFile(raw).json
    document["materials"][0]["name"] = "Porcelain"
    document["extras"] = {"artist": "somebody"}
    document["nodes"][0]["scale"] = [2.0, 2.0, 2.0]
    raw = _with_json(raw, document)
    (tmp_path / "head.glb").write_bytes(raw)
    doubled = read_mesh(tmp_path / "head.glb")
    np.testing.assert_allclose(doubled.points, 2.0 * mesh.points[source], rtol=1e-5)
    out = GlbFile(add_morph_targets(raw, COEFFICIENT_NAMES, 2.0 * rigged.deltas[:, source]))
    assert out.json["materials"][0]["name"] == "Porcelain"
    assert out.json["extras"] == {"artist": "somebody"}
    found = out.json["meshes"][0]
    assert found["extras"]["targetNames"] == list(COEFFICIENT_NAMES)
    assert found["weights"] == [0.0] * 52
    targets = found["primitives"][0]["targets"]
    assert len(targets) == 52
    jaw = targets[COEFFICIENT_INDEX["jawOpen"]]
    # In the mesh's own frame, inside the node that doubles it.
    np.testing.assert_allclose(
        out.accessor(jaw["POSITION"]),
        rigged.deltas[COEFFICIENT_INDEX["jawOpen"], source],
        atol=1e-4,
    )
    assert np.abs(out.accessor(jaw["NORMAL"])).max() > 0.1
    # What is made again takes the place of the old one.
    third = add_morph_targets(raw, ["jawOpen", "own"], 2.0 * rigged.deltas[:2, source])
    fourth = GlbFile(add_morph_targets(third, COEFFICIENT_NAMES, 2.0 * rigged.deltas[:, source]))
    found = fourth.json["meshes"][0]
    assert found["extras"]["targetNames"] == ["own", *COEFFICIENT_NAMES]
    assert len(found["primitives"][0]["targets"]) == len(found["weights"]) == 53
    again = GlbFile(add_morph_targets(raw, ["more"], 0.0 * rigged.deltas[:1, source]))
    assert again.json["meshes"][0]["extras"]["targetNames"] == ["more"]


def _with_json(raw: bytes, document: dict) -> bytes:
    import struct

    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    length = struct.unpack_from("<I", raw, 12)[0]
    rest = raw[20 + length :]
    return (
        struct.pack("<4sII", b"glTF", 2, 20 + len(text) + len(rest))
        + struct.pack("<I4s", len(text), b"JSON")
        + text
        + rest
    )


def test_the_command_rigs_an_obj_file(tmp_path, finer) -> None:
    mesh, marks, _ = finer
    lines = [f"v {x} {y} {z}" for x, y, z in mesh.points]
    lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + 1]
    (tmp_path / "head.obj").write_text("\n".join(lines), encoding="ascii")
    known = {str(i): list(map(float, marks[i])) for i in (*range(0, 468, 3), 263)}
    (tmp_path / "marks.json").write_text(json.dumps(known), encoding="ascii")
    report = lifemask.rig(
        tmp_path / "head.obj",
        tmp_path / "out.glb",
        landmarks=tmp_path / "marks.json",
        grid=tmp_path / "grid.png",
    )
    assert report.unit == "cm"
    assert (tmp_path / "grid.png").stat().st_size > 10_000
    out = GlbFile((tmp_path / "out.glb").read_bytes())
    assert out.json["meshes"][0]["extras"]["targetNames"] == list(COEFFICIENT_NAMES)


def test_what_is_no_head_is_refused(tmp_path, head, finer) -> None:
    mesh, marks, _ = finer
    with pytest.raises(NoFaceError, match="not those of a face"):
        rig_mesh(mesh, None, landmarks=np.random.default_rng(0).normal(size=(478, 3)))
    some = np.full((478, 3), np.nan)
    some[:5] = marks[:5]
    with pytest.raises(NoFaceError, match="not those of a face"):
        rig_mesh(mesh, None, landmarks=some)
    (tmp_path / "marks.json").write_text('{"9999": [0, 0, 0]}', encoding="ascii")
    with pytest.raises(InputError, match="the landmarks in marks"):
        read_landmarks(tmp_path / "marks.json")
    with pytest.raises(InputError, match="is not a"):
        lifemask.rig(tmp_path / "head.obj", tmp_path / "head.fbx")


def test_too_few_points_are_refused(head, finer) -> None:
    """Every second point of the coarsest grid: a face in shape, but without lids."""
    from scipy.spatial import ConvexHull

    some = head.neutral[: head.topology.parts["skin"].vertices.stop : 6].astype(np.float64)
    hull = ConvexHull(some)
    assert len(hull.vertices) < FEWEST_POINTS
    with pytest.raises(InputError, match=r"too few|not like a head"):
        rig_mesh(
            Mesh(some, hull.simplices.astype(np.int32)),
            None,
            landmarks=head.landmarks(head.neutral).astype(np.float64),
        )


@pytest.mark.slow
@pytest.mark.needs("ict")
def test_the_ict_head_gets_all_shapes() -> None:
    require("landmarker")
    from lifemask.tracking import FaceLandmarker

    model = load_head_model("ict", ict())
    a, b, c = model.topology.faces.T
    faces = model.topology.faces[(a != b) & (b != c) & (a != c)]
    mesh = Mesh(100.0 * model.neutral.astype(np.float64), faces)
    with FaceLandmarker() as landmarker:
        rigged = rig_mesh(mesh, landmarker)
    assert rigged.fit.unit == "cm"
    still = {"tongueOut"}
    for name, delta in zip(COEFFICIENT_NAMES, rigged.deltas, strict=True):
        assert name in still or np.linalg.norm(delta, axis=1).max() > 0.08, name
    for least, most in rigged.gaps_mm(mesh).values():
        assert -1.0 <= least <= most <= 1.0
