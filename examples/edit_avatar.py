"""Change an avatar's shape and colours, and keep everything that moves it.

    python examples/edit_avatar.py [FOLDER]

Head and textures are plain arrays, and the head model names the regions of the face. Here the
face becomes a caricature (what makes it differ from the mean adult, times 1.7) with painted lids;
the result is a package like any other.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from _demo_avatar import demo_package, output_folder

import lifemask
from lifemask.geometry import rasterize, write_image
from lifemask.rendering import contact_sheet, turntable

EXAGGERATION = 0.7
PAINT = np.array([40, 110, 130])


def main() -> None:
    """Load, change, save, compare."""
    folder = output_folder()
    avatar = lifemask.Avatar.load(demo_package(folder))
    mean = lifemask.load_head_model().head()
    head = dataclasses.replace(
        avatar.head,
        neutral=avatar.head.neutral + EXAGGERATION * (avatar.head.neutral - mean.neutral),
        joints=avatar.head.joints + EXAGGERATION * (avatar.head.joints - mean.joints),
    )
    albedo = avatar.textures["albedo"].copy()
    lids = 0.7 * texel_mask(head, "eyelids", albedo.shape[0])
    albedo[..., :3] = (1.0 - lids) * albedo[..., :3] + lids * PAINT
    textures = {**avatar.textures, "albedo": albedo}
    edited = dataclasses.replace(avatar, name="Caricature", head=head, textures=textures)
    edited.save(folder / "caricature.lifemask")

    views = [turntable(a.head, a.textures, yaws=(-0.5, 0.5), width=384) for a in (avatar, edited)]
    write_image(folder / "caricature.png", contact_sheet(views[0] + views[1], columns=4))
    print(f"wrote {folder / 'caricature.lifemask'} and {folder / 'caricature.png'}")


def texel_mask(head: lifemask.Head, region: str, size: int) -> np.ndarray:
    """Return a region of the face as `(size, size, 1)` in the atlas, 0 to 1."""
    mesh = head.topology
    atlas = rasterize(size * mesh.uv, np.ones(len(mesh.uv)), mesh.faces_uv, size, size)
    return atlas.interpolate(mesh.faces, mesh.masks[region][:, None])


if __name__ == "__main__":
    main()
