"""Draw heads before and after light is taken out, and print how sharp the merge is.

    python -m tools.appearance.compare FILE... -o before_after.png

Each row: a picture, the skin as it was lit, the skin without light, then under three lamps the
finished head. The numbers: Laplacian energy of cheeks, forehead and brows in the merged skin
against the sharpest single frame, before anything is taken out or filled in.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.appearance import bake_textures
from lifemask.appearance._alignment import align_views, sharpness
from lifemask.appearance._atlas import Texels
from lifemask.appearance._merge import merge_views
from lifemask.appearance._projection import project_picture
from lifemask.appearance._skin import plain_skin, skin_tone
from lifemask.appearance._skin_maps import default_groups, unlit
from lifemask.geometry import open_video, read_image, resize_image, write_image
from lifemask.heads import load_head_model
from lifemask.rendering import Lamp, Light, Renderer, contact_sheet, frame_head
from lifemask.rigging import align_to_landmarks
from lifemask.tracking import FaceLandmarker, choose_key_frames, fit_photos, select_face

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_VIDEOS: Final = frozenset({".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v"})
_FRAMES: Final = 12
_STEP: Final = 3
"""Of a clip every third frame is looked at."""
_SIDE: Final = 320
_SHARP_SIZE: Final = 512
_LAMPS: Final = ((-1.0, 0.3, 0.5), (1.0, 0.3, 0.5), (0.0, 1.0, 0.35))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("inputs", nargs="+", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    cells = []
    for path in arguments.inputs:
        head, images, fits = _person(path)
        cells += _row(head, images, fits)
        if len(images) > 1:
            print(f"{path.name}: {_sharpness_line(head, images, fits)}")
    write_image(arguments.output, contact_sheet(cells, columns=3 + len(_LAMPS)))


def _person(path: Path) -> tuple[Head, list[NDArray[np.uint8]], list[PhotoFit]]:
    model = load_head_model()
    images, faces = [], []
    with FaceLandmarker() as landmarker:
        if path.suffix.lower() in _VIDEOS:
            for number, frame in enumerate(open_video(path)):
                if number % _STEP:
                    continue
                face = landmarker.track(frame.image, frame.time_seconds)
                if face is not None:
                    images.append(frame.image.copy())
                    faces.append(face)
            keys = choose_key_frames(faces, _FRAMES)
            images, faces = [images[i] for i in keys], [faces[i] for i in keys]
        else:
            images = [read_image(path)]
            faces = [select_face(landmarker.detect(images[0]), None)]
    fits = fit_photos(faces, model)
    return align_to_landmarks(model.head(fits[0].identity), fits), images, fits


def _row(
    head: Head, images: Sequence[NDArray[np.uint8]], fits: Sequence[PhotoFit]
) -> list[NDArray[np.uint8]]:
    cells = [_face(images[0], fits[0])]
    camera, pose = frame_head(head, _SIDE, _SIDE)
    renderer = None
    for delight in (False, True):
        baked = bake_textures(head, images, fits, size=1024, delight=delight)
        renderer = Renderer(head, baked.textures(), supersampling=3)
        cells.append(renderer.render(pose=pose, camera=camera, light=None))
    for direction in _LAMPS:
        light = Light((Lamp(direction, (1.0, 0.98, 0.95)),), (0.3,) * 3, (0.2,) * 3)
        cells.append(renderer.render(pose=pose, camera=camera, light=light))
    return cells


def _face(image: NDArray[np.uint8], fit: PhotoFit) -> NDArray[np.uint8]:
    points = fit.landmarks.pixels
    half = 0.85 * float(np.ptp(points[:, 1]))
    x, y = points.mean(axis=0)
    left, top = max(int(x - half), 0), max(int(y - 1.1 * half), 0)
    crop = image[top : top + int(2 * half), left : left + int(2 * half)]
    side = min(crop.shape[:2])
    return resize_image(np.ascontiguousarray(crop[:side, :side]), _SIDE, _SIDE)


def _sharpness_line(
    head: Head, images: Sequence[NDArray[np.uint8]], fits: Sequence[PhotoFit]
) -> str:
    """Compare the fine structure of merges with that of the sharpest frame."""
    texels = Texels.of(head.topology, _SHARP_SIZE, ("skin",))
    views = [project_picture(i, f, head, texels) for i, f in zip(images, fits, strict=True)]
    plain = plain_skin(texels)
    aligned, _ = align_views(texels, views, images)
    best = int(np.argmax([sharpness(texels, view) for view in views]))
    shown = np.min([view.trust for view in views], axis=0) > 0.8
    shown &= texels.mask("face") > 0.9
    energies = []
    for chosen in ([views[best]], views, aligned):
        albedos, _ = unlit(chosen, plain, default_groups(fits)[: len(chosen)], strength=0.0)
        tone = skin_tone(albedos, chosen, plain)
        sharp = [sharpness(texels, view) for view in chosen]
        colour = merge_views(texels, chosen, albedos, tone, sharp).colour
        energies.append(_laplacian_energy(colour.mean(axis=2), texels, shown))
    single, blind, merged = energies
    return (
        f"{len(views)} frames, Laplacian energy against the sharpest frame: "
        f"merged without alignment {blind / single:.2f}, aligned {merged / single:.2f}"
    )


def _laplacian_energy(grey: NDArray[np.float32], texels: Texels, shown: NDArray[np.bool_]) -> float:
    import cv2

    smooth = cv2.GaussianBlur(grey, (0, 0), 1.0)
    laplacian = np.asarray(cv2.Laplacian(smooth, cv2.CV_32F))
    return float((laplacian.ravel()[texels.index][shown] ** 2).mean())


if __name__ == "__main__":
    main()
