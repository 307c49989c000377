"""OBJ, PLY and GLB: what is read back, what is refused, and that no bytes crash the readers."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lifemask import InputError
from lifemask.geometry import read_mesh

POINTS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.5], [2, 2, 2.0]])
FACES = np.array([[0, 1, 2], [0, 2, 3]])
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30], [1, 2, 3]])
BARE = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def picture() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((4, 4, 3), (10, 200, 30), np.uint8)).save(out, "PNG")
    return out.getvalue()


def obj(quads=True, coloured=False) -> str:
    rows = [f"v {x} {y} {z}" for x, y, z in POINTS]
    if coloured:
        rows = [
            f"{r} {a / 255:.6f} {b / 255:.6f} {c / 255:.6f}"
            for r, (a, b, c) in zip(rows, COLOURS, strict=True)
        ]
    faces = ["f 1 2 3 4"] if quads else ["f 1 2 3", "f -5 -3 -2"]
    return "\n".join(["# a comment", *rows, "vn 0 0 1", "g name", *faces, ""])


def ply(kind: str, *, colour="uchar", mixed=False) -> bytes:
    order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[kind]
    polygons = [[0, 1, 2, 3], [0, 3, 4]] if mixed else FACES.tolist()
    header = [
        "ply", f"format {kind} 1.0", "comment made by a test", f"element vertex {len(POINTS)}",
        "property float x", "property float y", "property float z",
        f"property {colour} red", f"property {colour} green", f"property {colour} blue",
        "element material 1", "property int unused",
        f"element face {len(polygons)}", "property list uchar int vertex_indices",
        "property uchar flags", "end_header", "",
    ]  # fmt: skip
    head = "\n".join(header).encode()
    values = COLOURS if colour == "uchar" else COLOURS / 255
    if not order:
        rows = [" ".join(map(str, [*p, *c])) for p, c in zip(POINTS, values, strict=True)]
        rows += ["7", *(" ".join(map(str, [len(f), *f, 0])) for f in polygons)]
        return head + ("\n".join(rows) + "\n").encode()
    body = b""
    for point, c in zip(POINTS, values, strict=True):
        body += struct.pack(order + "3f", *point)
        body += struct.pack(order + ("3B" if colour == "uchar" else "3f"), *c)
    body += struct.pack(order + "i", 7)
    for face in polygons:
        body += struct.pack(f"{order}B{len(face)}iB", len(face), *face, 0)
    return head + body


def glb(document: dict, blob: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    blob += b"\0" * (-len(blob) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    chunks += struct.pack("<II", len(blob), 0x004E4942) + blob
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def scene(textured=False, **node) -> tuple[dict, bytes]:
    position = POINTS.astype("<f4").tobytes()
    index = FACES.astype("<u2").tobytes()
    uv = np.full((len(POINTS), 2), 0.25, "<f4").tobytes()
    image = picture()
    blob, views = b"", []
    for part in (position, index, uv, image):
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": len(part)})
        blob += part + b"\0" * (-len(part) % 4)
    primitive = {"attributes": {"POSITION": 0}, "indices": 1}
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, **node}],
        "meshes": [{"primitives": [primitive]}],
        "buffers": [{"byteLength": len(blob)}],
        "bufferViews": views,
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(POINTS), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 6, "type": "SCALAR"},
            {"bufferView": 2, "componentType": 5126, "count": len(POINTS), "type": "VEC2"},
        ],
    }
    if textured:
        primitive["attributes"]["TEXCOORD_0"] = 2
        primitive["material"] = 0
        document["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
        document["textures"] = [{"source": 0}]
        document["images"] = [{"bufferView": 3, "mimeType": "image/png"}]
    return document, blob


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("quads", [True, False])
def test_obj_polygons_and_numbers_from_the_end(tmp_path, quads):
    mesh = read_mesh(written(tmp_path, "a.obj", obj(quads)))
    np.testing.assert_array_equal(mesh.points, POINTS)
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.colours is None and mesh.texture is None and not mesh.is_coloured


def test_obj_negative_numbers_count_from_where_the_face_stands(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 5 5 5\nv 6 5 5\nv 5 6 5\nf -3 -2 -1\n"
    mesh = read_mesh(written(tmp_path, "a.obj", text))
    assert mesh.faces.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_obj_colours_at_the_points(tmp_path):
    mesh = read_mesh(written(tmp_path, "a.OBJ", obj(coloured=True)))
    assert mesh.colours is not None
    np.testing.assert_allclose(mesh.colours, COLOURS / 255, atol=1e-5)


def test_obj_texture_from_the_same_folder_and_from_no_other(tmp_path):
    inside = tmp_path / "scan"
    inside.mkdir()
    text = "mtllib scan.mtl\n" + obj().replace("f 1 2 3 4", "vt 0.25 0.75\nf 1/1 2/1 3/1 4/1")
    path = written(inside, "a.obj", text)
    written(inside, "skin.png", picture())
    written(tmp_path, "secret.png", picture())
    (inside / "scan.mtl").write_text("newmtl m\nmap_Kd ../skin.png\n", encoding="utf-8")
    mesh = read_mesh(path)
    assert mesh.texture is not None and mesh.texture[0, 0].tolist() == [10, 200, 30]
    assert mesh.uv is not None
    np.testing.assert_allclose(mesh.uv, [[0.25, 0.25]])
    for name in ("../secret.png", "/etc/passwd", "C:\\secret.png"):
        (inside / "scan.mtl").write_text(f"map_Kd {name}\n", encoding="utf-8")
        assert read_mesh(path).texture is None


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("colour", ["uchar", "float"])
def test_ply_of_every_order(tmp_path, kind, colour):
    mesh = read_mesh(written(tmp_path, "a.ply", ply(kind, colour=colour)))
    np.testing.assert_allclose(mesh.points, POINTS)
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.colours is not None
    np.testing.assert_allclose(mesh.colours, COLOURS / 255, atol=1e-5)


@pytest.mark.parametrize("kind", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_polygons_of_different_lengths(tmp_path, kind):
    mesh = read_mesh(written(tmp_path, "a.ply", ply(kind, mixed=True)))
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_glb_with_transform_and_texture(tmp_path):
    document, blob = scene(textured=True, scale=[2, 2, 2], translation=[0, 0, 1])
    mesh = read_mesh(written(tmp_path, "a.glb", glb(document, blob)))
    np.testing.assert_allclose(mesh.points, 2 * POINTS + [0, 0, 1])
    np.testing.assert_array_equal(mesh.faces, FACES)
    assert mesh.texture is not None and mesh.texture.shape == (4, 4, 3)


def test_glb_that_mirrors_keeps_its_outside_outside(tmp_path):
    mesh = read_mesh(written(tmp_path, "a.glb", glb(*scene(scale=[-1, 1, 1]))))
    a, b, c = mesh.points[mesh.faces[0]]
    assert np.cross(b - a, c - a)[2] > 0


@pytest.mark.parametrize(
    "change",
    [
        {"extensionsRequired": ["KHR_draco_mesh_compression"]},
        {"nodes": [{"mesh": 0, "children": [0]}]},
        {"nodes": [{"mesh": 5}]},
        {"accessors": []},
        {"meshes": []},
        {"scenes": [{"nodes": [-1]}]},
        {"bufferViews": [{"buffer": 0, "byteOffset": 1 << 40, "byteLength": 1}] * 4},
        {"nodes": "text"},
    ],
)
def test_glb_that_is_damaged_or_compressed_is_refused(tmp_path, change):
    document, blob = scene()
    with pytest.raises(InputError, match="not a mesh that can be read"):
        read_mesh(written(tmp_path, "a.glb", glb(document | change, blob)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.obj", ""),
        ("a.obj", "v 0 0 0\nf 1 1 1\n"),
        ("a.obj", obj().replace("f 1 2 3 4", "f 1 2 99")),
        ("a.obj", obj().replace("f 1 2 3 4", "f 0 1 2")),
        ("a.obj", obj().replace("f 1 2 3 4", "f a b c")),
        ("a.obj", obj().replace("v 0.0 0.0 0.0", "v 0 0")),
        ("a.obj", obj().replace("v 0.0 0.0 0.0", "v 0 0 north")),
        ("a.obj", "v nan 0 0\nv 0 1 0\nv 1 0 0\nf 1 2 3\n"),
        ("a.ply", b"ply\n"),
        ("a.ply", b"plywood"),
        ("a.ply", ply("ascii").replace(b"element vertex 5", b"element vertex 6")),
        ("a.ply", ply("binary_little_endian")[:-4]),
        ("a.ply", ply("binary_little_endian").replace(b"vertex 5", b"vertex 999999999")),
        ("a.ply", ply("ascii").replace(b"property float z", b"property float w")),
        ("a.ply", ply("ascii").replace(b"property float z", b"property quux z")),
        ("a.ply", ply("ascii").replace(b"3 0 1 2", b"3 0 1 9")),
        ("a.glb", b"glTF"),
        ("a.glb", glb(*scene())[:-30]),
    ],
)
def test_damaged_files_are_refused_with_a_reason(tmp_path, name, content):
    with pytest.raises(InputError, match="not a mesh that can be read") as caught:
        read_mesh(written(tmp_path, name, content))
    assert "Export the scan again" in caught.value.hint


def test_other_files_are_refused_by_their_name(tmp_path):
    with pytest.raises(InputError, match="not a mesh file"):
        read_mesh(written(tmp_path, "a.stl", b"solid"))
    with pytest.raises(InputError, match="cannot be read"):
        read_mesh(tmp_path / "nothing.ply")


def test_points_that_are_not_finite_take_only_their_own_triangles(tmp_path):
    text = obj(quads=False).replace("v 1.0 0.0 0.0", "v inf 0 0")
    mesh = read_mesh(written(tmp_path, "a.obj", text))
    assert mesh.faces.tolist() == [[0, 2, 3]] and np.isfinite(mesh.points).all()


def _survives(tmp_path, name, content):
    try:
        mesh = read_mesh(written(tmp_path, name, content))
    except InputError:
        return
    assert np.isfinite(mesh.points).all()
    assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.points)


SEEDS = {
    "a.obj": [obj().encode(), obj(coloured=True).encode()],
    "a.ply": [ply("ascii"), ply("binary_little_endian", mixed=True), ply("binary_big_endian")],
    "a.glb": [glb(*scene(textured=True)), glb(*scene())],
}


@BARE
@given(
    data=st.data(),
    name=st.sampled_from(sorted(SEEDS)),
    edits=st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=6)), max_size=6),
)
def test_bytes_that_were_tampered_with_never_crash_the_readers(tmp_path, data, name, edits):
    content = bytearray(data.draw(st.sampled_from(SEEDS[name])))
    for place, change in edits:
        at = place % (len(content) + 1)
        content[at : at + len(change)] = change
    _survives(tmp_path, name, bytes(content))


@BARE
@given(content=st.binary(max_size=300), name=st.sampled_from(sorted(SEEDS)))
def test_random_bytes_never_crash_the_readers(tmp_path, content, name):
    for start in (b"", b"ply\nformat ascii 1.0\n", b"glTF\x02\0\0\0", b"v "):
        _survives(tmp_path, name, start + content)
