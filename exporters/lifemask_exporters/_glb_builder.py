"""Builds a binary glTF file; the only module that knows pygltflib.

Buffer views are tightly packed, one per accessor: some importers check strides against the end
of the buffer and reject interleaved data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pygltflib as gl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Use = Literal["vertices", "indices"]

_TARGETS: dict[Use | None, int | None] = {
    None: None,
    "vertices": gl.ARRAY_BUFFER,
    "indices": gl.ELEMENT_ARRAY_BUFFER,
}
_COMPONENTS = {
    "u1": gl.UNSIGNED_BYTE,
    "u2": gl.UNSIGNED_SHORT,
    "u4": gl.UNSIGNED_INT,
    "f4": gl.FLOAT,
}
_TYPES = {(): gl.SCALAR, (2,): gl.VEC2, (3,): gl.VEC3, (4,): gl.VEC4, (4, 4): gl.MAT4}


class GlbBuilder:
    """Collects the parts of one glTF document; every `add_*` returns an index."""

    def __init__(self, *, generator: str, copyright: str, extras: Mapping[str, Any]) -> None:
        """Start a document; empty values in `extras` are dropped when it is written."""
        asset = gl.Asset(generator=generator, copyright=copyright, extras=dict(extras))
        self._document = gl.GLTF2(asset=asset)
        self._blob = bytearray()

    def add_accessor(
        self,
        array: NDArray,
        *,
        use: Use | None = None,
        bounds: bool = False,
        name: str | None = None,
    ) -> int:
        """Add an array `(n, ...)` of uint8, uint16, uint32 or float32.

        Args:
            array: Elements along the first axis; each a scalar, a vector or a 4×4 matrix whose
                columns are stored one after the other.
            use: What the buffer view holds, for importers that upload it as it is.
            bounds: Whether to write minimum and maximum, needed for positions and times.
            name: Shown by some importers where a shape has no other name.
        """
        accessor = self._accessor(array, bounds=bounds, name=name)
        stored = array.transpose(0, 2, 1) if array.ndim == 3 else array
        accessor.bufferView = self._add_view(_packed(stored), _TARGETS[use])
        self._document.accessors.append(accessor)
        return len(self._document.accessors) - 1

    def add_index_view(self, indices: NDArray[np.integer]) -> tuple[int, NDArray]:
        """Add strictly increasing element indices, to be shared by sparse accessors."""
        small = indices.astype(np.uint16 if indices.max(initial=0) < 65_536 else np.uint32)
        return self._add_view(_packed(small), None), small

    def add_sparse_accessor(
        self,
        array: NDArray[np.float32],
        indices: tuple[int, NDArray],
        *,
        bounds: bool = False,
        name: str | None = None,
    ) -> int:
        """Add a float array that is zero except in the rows of `indices` (`add_index_view`)."""
        view, rows = indices
        accessor = self._accessor(array, bounds=bounds, name=name)
        # Without a buffer view there is nothing to be offset from; the library's 0 is invalid.
        accessor.byteOffset = None
        accessor.sparse = gl.Sparse(
            count=len(rows),
            indices=gl.AccessorSparseIndices(bufferView=view, componentType=_component(rows)),
            values=gl.AccessorSparseValues(bufferView=self._add_view(_packed(array[rows]), None)),
        )
        self._document.accessors.append(accessor)
        return len(self._document.accessors) - 1

    def add_texture(self, data: bytes, mime_type: str, name: str) -> int:
        """Add an encoded picture and a texture that shows it with mipmaps."""
        if not self._document.samplers:
            sampler = gl.Sampler(magFilter=gl.LINEAR, minFilter=gl.LINEAR_MIPMAP_LINEAR)
            self._document.samplers.append(sampler)
        view = self._add_view(data, None)
        self._document.images.append(gl.Image(bufferView=view, mimeType=mime_type, name=name))
        source = len(self._document.images) - 1
        self._document.textures.append(gl.Texture(sampler=0, source=source, name=name))
        return len(self._document.textures) - 1

    def add_material(
        self,
        name: str,
        *,
        color: Sequence[float],
        roughness: float,
        base_color: int | None = None,
        normal: int | None = None,
        orm: int | None = None,
        alpha_cutoff: float | None = None,
        double_sided: bool = False,
    ) -> int:
        """Add a dielectric metallic-roughness material; textures are indices of `add_texture`.

        Args:
            name: Material name.
            color: `(4,)` linear RGBA factor.
            roughness: Factor; multiplies the green channel of `orm`.
            base_color: sRGB texture.
            normal: Tangent-space normal texture, +Y up.
            orm: Occlusion, roughness, metallic texture; metallic stays 0.
            alpha_cutoff: Coverage below it is not drawn; opaque when left out.
            double_sided: For open cards only.
        """
        surface = gl.PbrMetallicRoughness(
            baseColorFactor=list(color), metallicFactor=0.0, roughnessFactor=roughness
        )
        surface.baseColorTexture = _texture(base_color, gl.TextureInfo)
        surface.metallicRoughnessTexture = _texture(orm, gl.TextureInfo)
        material = gl.Material(
            name=name,
            pbrMetallicRoughness=surface,
            normalTexture=_texture(normal, gl.NormalMaterialTexture),
            occlusionTexture=_texture(orm, gl.OcclusionTextureInfo),
            alphaMode=gl.OPAQUE if alpha_cutoff is None else gl.MASK,
            alphaCutoff=alpha_cutoff,
            doubleSided=double_sided,
        )
        self._document.materials.append(material)
        return len(self._document.materials) - 1

    def add_mesh(
        self,
        name: str,
        attributes: Mapping[str, int],
        *,
        indices: int,
        material: int,
        targets: Sequence[tuple[str, Mapping[str, int]]] = (),
    ) -> int:
        """Add a mesh of one primitive; `targets` are names with their attributes."""
        primitive = gl.Primitive(
            attributes=gl.Attributes(**attributes),
            indices=indices,
            material=material,
            targets=[dict(target) for _, target in targets],  # type: ignore[misc]
        )
        mesh = gl.Mesh(name=name, primitives=[primitive])
        if targets:
            mesh.weights = [0.0] * len(targets)
            mesh.extras = {"targetNames": [target for target, _ in targets]}
        self._document.meshes.append(mesh)
        return len(self._document.meshes) - 1

    def add_node(
        self,
        name: str,
        *,
        translation: Sequence[float] | None = None,
        children: Sequence[int] = (),
        mesh: int | None = None,
        skin: int | None = None,
    ) -> int:
        """Add a node; children come first because they are named by their index."""
        moved = None if translation is None else [float(x) for x in translation]
        node = gl.Node(name=name, translation=moved, children=list(children), mesh=mesh, skin=skin)
        self._document.nodes.append(node)
        return len(self._document.nodes) - 1

    def add_skin(self, name: str, joints: Sequence[int], inverse_binds: int, root: int) -> int:
        """Add a skin; `inverse_binds` is an accessor of 4×4 matrices, one per joint."""
        skin = gl.Skin(
            name=name, joints=list(joints), inverseBindMatrices=inverse_binds, skeleton=root
        )
        self._document.skins.append(skin)
        return len(self._document.skins) - 1

    def add_weight_animation(self, name: str, times: int, tracks: Mapping[int, int]) -> int:
        """Add a linear animation of shape weights; `tracks` are weight accessors by node."""
        animation = gl.Animation(name=name)
        for node, weights in tracks.items():
            sampler = gl.AnimationSampler(input=times, output=weights, interpolation="LINEAR")
            animation.samplers.append(sampler)
            target = gl.AnimationChannelTarget(node=node, path=gl.WEIGHTS)
            channel = gl.AnimationChannel(sampler=len(animation.samplers) - 1, target=target)
            animation.channels.append(channel)
        self._document.animations.append(animation)
        return len(self._document.animations) - 1

    def to_bytes(self, roots: Sequence[int], scene_name: str) -> bytes:
        """Return the `.glb` with one scene."""
        document = self._document
        document.scenes = [gl.Scene(name=scene_name, nodes=list(roots))]
        document.scene = 0
        document.buffers = [gl.Buffer(byteLength=len(self._blob))]
        document.set_binary_blob(bytes(self._blob))
        # Not `save`: it replaces `asset` by one of its own.
        return b"".join(document.save_to_bytes())

    def _accessor(self, array: NDArray, *, bounds: bool, name: str | None) -> gl.Accessor:
        accessor = gl.Accessor(
            componentType=_component(array), count=len(array), type=_TYPES[array.shape[1:]]
        )
        accessor.name = name
        if bounds:
            accessor.min = np.atleast_1d(array.min(axis=0)).tolist()
            accessor.max = np.atleast_1d(array.max(axis=0)).tolist()
        return accessor

    def _add_view(self, data: bytes, target: int | None) -> int:
        self._blob.extend(bytes(-len(self._blob) % 4))
        view = gl.BufferView(
            buffer=0, byteOffset=len(self._blob), byteLength=len(data), target=target
        )
        self._blob.extend(data)
        self._document.bufferViews.append(view)
        return len(self._document.bufferViews) - 1


def _component(array: NDArray) -> int:
    return _COMPONENTS[array.dtype.str[1:]]


def _packed(array: NDArray) -> bytes:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def _texture(index: int | None, kind: type) -> Any:
    return None if index is None else kind(index=index)
