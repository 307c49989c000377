"""Binary glTF 2.0 as engines read it: 52 morph targets, a skin, plain materials.

Core glTF only, no extensions. One node and one primitive per mesh, so that importers that merge
or drop primitives cannot lose shapes. Metres, +Y up, the face looks along +Z.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np

from lifemask._errors import ExportError
from lifemask._files import write_bytes
from lifemask.heads import JOINT_NAMES, JOINT_PARENTS
from lifemask_exporters._clips import add_clips
from lifemask_exporters._glb_builder import GlbBuilder
from lifemask_exporters._materials import (
    ImageFormat,
    add_hair_material,
    add_lash_material,
    add_materials,
)
from lifemask_exporters._surface import Surface, Target, build_surface

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask._licenses import License
    from lifemask.appearance import HairCap
    from lifemask.avatar import Avatar

suffixes: Final = (".glb",)

MESHES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "HeadMesh": (("skin", "mouth", "tongue"), "Skin"),
    "TeethMesh": (("teeth_upper", "teeth_lower"), "Teeth"),
    "EyeMeshLeft": (("eye_left",), "Eyes"),
    "EyeMeshRight": (("eye_right",), "Eyes"),
    "LashMesh": (("lashes",), "Lashes"),
}
"""Parts and material of each mesh node."""

HAIR_MESH: Final = "HairMesh"
"""Node of the cap of hair, where the avatar has one; engines hide it to show the scalp."""


def export(
    avatar: Avatar,
    path: Path,
    *,
    sparse: bool = False,
    image_format: ImageFormat = "jpeg",
    animations: bool = False,
) -> None:
    """Write an avatar as `.glb`.

    Args:
        avatar: The avatar.
        path: The file to write; it appears only when it is complete.
        sparse: Store morph targets as sparse accessors: a tenth of the size, for the web; some
            engine importers mishandle them.
        image_format: Encoding of base colour and ORM, `"jpeg"` or `"png"`; normal map, lashes
            and hair always are PNG. With `"jpeg"`, normal map and hair are rounded to steps of 2
            and 4 of 255; with `"png"`, all pictures are exact.
        animations: Add the clips `blink`, `smile` and `visemes`. Off by default, because
            importers play the first clip on their own and it then overwrites live weights, and
            Blender hides animated meshes under empties that take their names.

    Raises:
        ExportError: The image format is unknown, or the file cannot be written.
    """
    data = build_glb(avatar, sparse=sparse, image_format=image_format, animations=animations)
    write_bytes(path, data)


def build_glb(
    avatar: Avatar,
    *,
    sparse: bool = False,
    image_format: ImageFormat = "jpeg",
    animations: bool = False,
) -> bytes:
    """Return what `export` writes; the same avatar and options give the same bytes.

    Raises:
        ExportError: The image format is unknown.
    """
    if image_format not in get_args(ImageFormat):
        raise ExportError(
            f"{image_format!r} is no image format of the glTF exporter",
            hint=f"Use one of: {', '.join(get_args(ImageFormat))}.",
        )
    builder = GlbBuilder(
        generator=avatar.manifest.generator,
        copyright=_copyright(avatar),
        extras={"lifemask": _extras(avatar)},
    )
    surfaces = {
        name: build_surface(avatar.head, parts)
        for name, (parts, _) in MESHES.items()
        if all(part in avatar.head.topology.parts for part in parts)
    }
    meshes = _add_meshes(builder, avatar, surfaces, sparse=sparse, image_format=image_format)
    root, skin = _add_skeleton(builder, avatar.head.joints)
    nodes = {name: builder.add_node(name, mesh=mesh, skin=skin) for name, mesh in meshes.items()}
    if animations:
        shapes = {nodes[name]: surface.targets for name, surface in surfaces.items()}
        add_clips(builder, {n: [t.name for t in targets] for n, targets in shapes.items()})
    return builder.to_bytes([root, *nodes.values()], avatar.name)


def _add_meshes(
    builder: GlbBuilder,
    avatar: Avatar,
    surfaces: dict[str, Surface],
    *,
    sparse: bool,
    image_format: ImageFormat,
) -> dict[str, int]:
    materials = add_materials(builder, avatar.textures, image_format)
    has_normal_map = "normal" in avatar.textures
    meshes = {}
    for name, surface in surfaces.items():
        uv, material = surface.uv, MESHES[name][1]
        if material == "Lashes":
            materials[material], uv = add_lash_material(builder, avatar.textures.get("albedo"), uv)
        attributes = _add_attributes(builder, surface, uv)
        if has_normal_map and material != "Lashes":
            attributes["TANGENT"] = builder.add_accessor(surface.tangents, use="vertices")
        meshes[name] = builder.add_mesh(
            name,
            attributes,
            indices=builder.add_accessor(surface.faces.ravel(), use="indices"),
            material=materials[material],
            targets=[(t.name, _add_target(builder, t, sparse)) for t in surface.targets],
        )
    if avatar.hair is not None and len(avatar.hair.faces):
        material = add_hair_material(builder, avatar.textures.get("hair"), image_format)
        meshes[HAIR_MESH] = _add_hair(builder, avatar.hair, material)
    return meshes


def _add_hair(builder: GlbBuilder, hair: HairCap, material: int) -> int:
    """Add the cap of hair, bound to the head joint alone; it has no shapes."""
    joints = np.zeros((len(hair.vertices), 4), np.uint8)
    joints[:, 0] = JOINT_NAMES.index("Head")
    weights = np.zeros((len(hair.vertices), 4), np.float32)
    weights[:, 0] = 1.0
    attributes = {
        "POSITION": builder.add_accessor(hair.vertices, use="vertices", bounds=True),
        "NORMAL": builder.add_accessor(hair.normals, use="vertices"),
        "TEXCOORD_0": builder.add_accessor(hair.uv, use="vertices"),
        "JOINTS_0": builder.add_accessor(joints, use="vertices"),
        "WEIGHTS_0": builder.add_accessor(weights, use="vertices"),
    }
    kind = np.uint16 if len(hair.vertices) < 65535 else np.uint32
    indices = builder.add_accessor(hair.faces.astype(kind).ravel(), use="indices")
    return builder.add_mesh(HAIR_MESH, attributes, indices=indices, material=material, targets=[])


def _add_attributes(
    builder: GlbBuilder, surface: Surface, uv: NDArray[np.float32]
) -> dict[str, int]:
    def add(array: NDArray, *, bounds: bool = False) -> int:
        return builder.add_accessor(array, use="vertices", bounds=bounds)

    return {
        "POSITION": add(surface.positions, bounds=True),
        "NORMAL": add(surface.normals),
        "TEXCOORD_0": add(uv),
        "JOINTS_0": add(surface.joints),
        "WEIGHTS_0": add(surface.weights),
    }


def _add_target(builder: GlbBuilder, target: Target, sparse: bool) -> dict[str, int]:
    if not sparse:
        return {
            "POSITION": builder.add_accessor(
                target.positions, use="vertices", bounds=True, name=target.name
            ),
            "NORMAL": builder.add_accessor(target.normals, use="vertices"),
        }
    rows = builder.add_index_view(target.rows)
    return {
        "POSITION": builder.add_sparse_accessor(
            target.positions, rows, bounds=True, name=target.name
        ),
        "NORMAL": builder.add_sparse_accessor(target.normals, rows),
    }


def _add_skeleton(builder: GlbBuilder, joints: NDArray[np.float32]) -> tuple[int, int]:
    """Add the joint nodes, children before parents, and the skin; return root and skin."""
    nodes: dict[int, int] = {}
    for joint in reversed(range(len(JOINT_NAMES))):
        parent = JOINT_PARENTS[joint]
        origin = joints[parent] if parent >= 0 else np.zeros(3, np.float32)
        nodes[joint] = builder.add_node(
            JOINT_NAMES[joint],
            translation=joints[joint] - origin,
            children=[nodes[child] for child, p in enumerate(JOINT_PARENTS) if p == joint],
        )
    inverse_binds = np.tile(np.eye(4, dtype=np.float32), (len(JOINT_NAMES), 1, 1))
    inverse_binds[:, :3, 3] = -joints
    matrices = builder.add_accessor(inverse_binds)
    skin = builder.add_skin(
        "Skeleton", [nodes[j] for j in range(len(JOINT_NAMES))], matrices, nodes[0]
    )
    return nodes[0], skin


def _copyright(avatar: Avatar) -> str:
    terms = "; ".join(f"{item.name}: {item.licence}" for item in avatar.manifest.licenses)
    return f"Likeness: {avatar.manifest.consent.shown()['subject']}. {terms or 'Licences unset'}"


def _extras(avatar: Avatar) -> dict[str, Any]:
    """Return what a reader of the file should know; consent is reported even where unset."""
    manifest = avatar.manifest
    return {
        "name": avatar.name,
        "consent": manifest.consent.shown(),
        "licenses": [_terms(item) for item in manifest.licenses] or "unset",
        "headAsset": manifest.head_asset._asdict(),
        "coefficientOrder": "ARKit 52, order of EARFaceBlendShape",
        "units": "metres, radians",
        "axes": "+Y up, the face looks along +Z, the subject's left is +X",
        "weightRange": [0.0, 1.0],
    }


def _terms(item: License) -> dict[str, str]:
    return {"name": item.name, "licence": item.licence, "origin": item.origin}
