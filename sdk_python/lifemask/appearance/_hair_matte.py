"""Which pixels of a picture show hair: between skin, clothes and background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.geometry import rasterize
from lifemask.tracking import FACE_OVAL, guided_coefficients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head
    from lifemask.tracking import PhotoFit

_SIDE: Final = 288
"""Longer side of the picture in which hair is told from skin and clothes."""
_ROUNDS: Final = 3
_STREAM: Final = 7
"""Seed of OpenCV's random numbers, so that clusters come out the same every time."""
_OFF_SKULL: Final = 0.004
"""Metres beyond the outline of the bare head from which the person is hair for certain."""
_BARE: Final = 0.35
"""Share of the crown's rim that must look like hair for there to be any."""
_LONGEST: Final = 0.17
"""Metres from the middle of the head beyond which nothing counts as hair."""
_INNER: Final = 0.004
"""Metres from the background within which colours may be mixed with it."""
_FEW: Final = 60
"""Pixels of certain hair without which nothing can be told."""


@dataclass(frozen=True)
class HairMatte:
    """Hair in one picture.

    Attributes:
        hair: `(h, w)` float32 in [0, 1].
        person: `(h, w)` float32 in [0, 1], this person alone.
        inner: `(h, w)` float32 in [0, 1]: away from the background, so that what the picture
            shows there is nothing but the person.
    """

    hair: NDArray[np.float32]
    person: NDArray[np.float32]
    inner: NDArray[np.float32]


@dataclass(frozen=True)
class _Scene:
    """The bare head as drawn into the small picture.

    Attributes:
        image: `(h, w, 3)` uint8.
        person: `(h, w)`.
        drawn: `(h, w)` bool, where the bare head is.
        face: `(h, w)` share of the face's region mask.
        ears: `(h, w)` the same of the ears.
        neck: `(h, w)` the same of the neck.
        scalp: `(h, w)` the same of the scalp's hair.
        height: `(h, w)` metres above the head joint of what a pixel at the depth of the head shows.
        aside: `(h, w)` metres from the middle of the head, the same way.
        oval: `(h, w)` bool, inside the landmarks' outline of the face.
        pixel: Metres.
    """

    image: NDArray[np.uint8]
    person: NDArray[np.float32]
    drawn: NDArray[np.bool_]
    face: NDArray[np.float32]
    ears: NDArray[np.float32]
    neck: NDArray[np.float32]
    scalp: NDArray[np.float32]
    height: NDArray[np.float32]
    aside: NDArray[np.float32]
    oval: NDArray[np.bool_]
    pixel: float


def hair_matte(
    image: NDArray[np.uint8], fit: PhotoFit, head: Head, person: NDArray[np.float32]
) -> HairMatte | None:
    """Tell hair from skin, clothes and background.

    Certain hair is what of the person stands off the bare head above the ears, and what on the
    crown is unlike the skin of the face; certain other things are the face below the brows, the
    background, and what lies beneath the neck. Between them colours decide (GrabCut, Rother et
    al. 2004, two mixtures of five Gaussians and a graph cut), and a guided filter gives strands.

    Args:
        image: `(h, w, 3)` uint8 sRGB.
        fit: Of that picture.
        head: Of the person.
        person: `(h, w)` of `segment_person`.

    Returns:
        The matte, or None where the head is bald or its crown is out of the picture.
    """
    import cv2

    height, width = image.shape[:2]
    scene = _scene(image, fit, head, person)
    labels = _labels(scene)
    if labels is None:
        return None
    colours = scene.image.copy()
    # Backgrounds may have the colour of hair: they take that of skin, and the person's own edge
    # is laid over the result.
    colours[scene.person < 0.5] = np.median(scene.image[_plain_skin(scene)], axis=0)
    cv2.setRNGSeed(_STREAM)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(colours, labels, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    hair = _connected(found & (scene.person > 0.7), _certain(scene))
    fine = _refined(hair.astype(np.float32), image, scene)
    alone = _alone(scene, fit, (height, width)) * person
    inner = _inner(alone, _INNER / scene.pixel * width / scene.image.shape[1])
    return HairMatte(np.asarray(fine * alone, np.float32), np.asarray(alone, np.float32), inner)


def _inner(person: NDArray[np.float32], reach: float) -> NDArray[np.float32]:
    import cv2

    height, width = person.shape
    # The border of the picture is no border of the person.
    framed = cv2.copyMakeBorder((person > 0.8).astype(np.uint8), 4, 4, 4, 4, cv2.BORDER_REPLICATE)
    distance = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5), np.float32)
    return np.clip(distance[4 : 4 + height, 4 : 4 + width] / max(reach, 1.0) - 0.5, 0, 1)


def _scene(
    image: NDArray[np.uint8], fit: PhotoFit, head: Head, person: NDArray[np.float32]
) -> _Scene:
    import cv2

    scale = min(1.0, _SIDE / max(image.shape[:2]))
    camera = fit.camera.scaled(scale)
    size = camera.width, camera.height
    at = np.asarray(fit.pose.apply(head.vertices(fit.coefficients).astype(np.float64)), np.float64)
    topology = head.topology
    faces = topology.faces[: topology.parts["lashes"].faces.start]
    raster = rasterize(camera.project(at), -at[:, 2], faces, *size)
    names = ("face", "ears", "neck", "hair")
    masks = np.stack([topology.masks[name] for name in names], axis=1)
    face, ears, neck, scalp = np.moveaxis(raster.interpolate(faces, masks), -1, 0)
    distance = float(-fit.pose.translation[2])
    x0, y0 = camera.principal_point
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    plane = np.stack([columns - x0, y0 - rows], axis=-1) * (distance / camera.focal)
    plane = plane - fit.pose.translation[:2]
    up, side = fit.pose.rotation[:2, 1], fit.pose.rotation[:2, 0]
    oval = np.zeros(size[::-1], np.uint8)
    points = fit.landmarks.pixels[list(FACE_OVAL)] * scale
    cv2.fillPoly(oval, [np.round(points).astype(np.int32)], 1)
    return _Scene(
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8),
        np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_AREA), np.float32),
        raster.face >= 0, face, ears, neck, scalp,
        (plane @ up / max(float(up @ up), 1e-6)).astype(np.float32),
        (plane @ side).astype(np.float32),
        oval > 0,
        distance / camera.focal,
    )  # fmt: skip


def _plain_skin(scene: _Scene) -> NDArray[np.bool_]:
    """Return the middle of the face, where hair hangs least."""
    inner = _shrunk(scene.oval, round(0.012 / scene.pixel))
    return inner & (scene.height < 0.045) & (scene.height > -0.01)


def _certain(scene: _Scene) -> NDArray[np.bool_]:
    """Return the person off the bare head, above the ears."""
    beyond = ~_grown(scene.drawn, max(1, round(_OFF_SKULL / scene.pixel)))
    near = np.abs(scene.aside) < 0.13
    return beyond & near & (scene.height > 0.065) & (scene.person > 0.9)


def _labels(scene: _Scene) -> NDArray[np.uint8] | None:
    """Return GrabCut's starting labels, or None where there is no hair to be seen."""
    import cv2

    skin = _plain_skin(scene)
    if skin.sum() < _FEW:
        return None
    far = _unlike(scene.image, skin)
    crown = scene.drawn & (scene.scalp > 0.5) & (scene.height > 0.09) & (scene.person > 0.5)
    crown_hair = crown & (far > 1.0)
    certain = _certain(scene)
    if certain.sum() + crown.sum() < _FEW:
        return None
    if certain.sum() < 0.5 * crown.sum() and crown_hair.sum() < _BARE * crown.sum():
        return None
    labels = np.full(scene.image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    seeds = certain | crown_hair
    if seeds.sum() >= _FEW:
        near = _unlike(scene.image, seeds, (0.6, 0.12))
        labels[(near < 1.0) & (near < far) & (scene.person > 0.5)] = cv2.GC_PR_FGD
    labels[crown & (far > 0.5)] = cv2.GC_PR_FGD
    labels[crown_hair | certain] = cv2.GC_FGD
    brow = 0.055
    inner = _shrunk(scene.oval, round(0.006 / scene.pixel)) & (scene.height < brow)
    jaw = (scene.face > 0.5) & (scene.height < 0.0)
    outside = (scene.person < 0.35) | (np.abs(scene.aside) > _LONGEST)
    labels[inner | jaw | outside] = cv2.GC_BGD
    labels[(scene.face > 0.6) & (scene.oval) & (far < 0.5) & (labels != cv2.GC_FGD)] = cv2.GC_BGD
    labels[(scene.ears > 0.7) & (far < 0.6)] = cv2.GC_BGD
    throat = (scene.height < -0.02) & (np.abs(scene.aside) < 0.045)
    labels[throat & (far < 1.2)] = cv2.GC_BGD
    return labels


def _unlike(
    image: NDArray[np.uint8], sample: NDArray[np.bool_], least: tuple[float, float] = (0.22, 0.07)
) -> NDArray[np.float32]:
    """Return `(h, w)` how far colours are from those of a sample; 1 is the border of likely ones.

    Args:
        image: `(h, w, 3)`.
        sample: `(h, w)` pixels that tell the colours.
        least: Smallest spread of brightness and of chromaticity that is believed (log).
    """
    log = np.log(np.maximum(image.astype(np.float32), 6.0) / 255.0)
    features = np.stack(
        [log.mean(axis=2), log[..., 0] - log[..., 1], log[..., 1] - log[..., 2]], axis=-1
    )
    middle = np.median(features[sample], axis=0)
    spread = 1.48 * np.median(np.abs(features[sample] - middle), axis=0)
    spread = np.maximum(2.0 * spread, [least[0], least[1], least[1]])
    away = np.sqrt((((features - middle) / spread) ** 2).sum(axis=-1))
    return np.asarray(away / 2.2, np.float32)


def _connected(hair: NDArray[np.bool_], seeds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the parts of the hair that hang together with certain hair."""
    import cv2

    opened = cv2.morphologyEx(hair.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, found = cv2.connectedComponents(opened, connectivity=4)
    parts = np.asarray(found, np.intp)
    sizes = np.bincount(parts.ravel(), seeds.ravel(), minlength=count)
    sizes[0] = 0
    largest = float(np.bincount(parts[opened > 0], minlength=count)[1:].max(initial=0))
    kept = sizes > 0
    if not kept.any() and largest > 0:
        kept = np.bincount(parts.ravel(), minlength=count) >= largest
        kept[0] = False
    return np.asarray(kept[parts] & hair)


def _refined(
    hair: NDArray[np.float32], image: NDArray[np.uint8], scene: _Scene
) -> NDArray[np.float32]:
    """Return the mask at the size of the picture with edges along its strands."""
    import cv2

    size = image.shape[1], image.shape[0]
    guide = scene.image.astype(np.float32)
    guide /= np.float32(255)
    radius = max(2, round(0.008 / scene.pixel))
    # The background must not pull the edge between hair and skin.
    gain, offset = guided_coefficients(guide, hair, radius, 1e-3)
    fine = [cv2.resize(gain[..., k], size) * image[..., k] for k in range(3)]
    matte = np.clip(sum(fine) / np.float32(255) + cv2.resize(offset, size), 0, 1)
    inside = cv2.resize(_shrunk(hair > 0.5, radius).astype(np.float32), size)
    near = cv2.resize(_grown(hair > 0.5, radius).astype(np.float32), size)
    # Where the hair ends at the background, the person's own edge decides.
    border = cv2.resize(_grown(scene.person < 0.6, radius).astype(np.float32), size)
    coarse = cv2.resize(cv2.dilate(hair, np.ones((3, 3), np.uint8)), size)
    matte = np.clip((matte - 0.1) / 0.8, 0, 1)
    matte = matte * (1 - border) + np.maximum(matte, coarse) * border
    return np.asarray(np.maximum(matte, inside) * near, np.float32)


def _alone(scene: _Scene, fit: PhotoFit, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return `(h, w)` 1 around this person, 0 on others in the picture."""
    import cv2

    count, parts = cv2.connectedComponents((scene.person > 0.4).astype(np.uint8))
    sizes = np.bincount(parts[scene.oval & (scene.person > 0.4)].ravel(), minlength=count)
    own = np.zeros(parts.shape, np.float32)
    if sizes[1:].max(initial=0) > 0:
        own[np.asarray(parts) == 1 + int(np.argmax(sizes[1:]))] = 1.0
    own = cv2.dilate(own, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.resize(own, shape[::-1]), np.float32)


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc)) > 0


def _shrunk(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    return ~_grown(~mask, radius) if radius > 0 else mask
