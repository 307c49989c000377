"""The albedo of one frame: a dynamic texture's output added to every level that is sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.dynamics import (
    PROFILE_SIZES,
    SKIN_REGIONS,
    Layout,
    add_residual,
    face_layout,
    layout_texels,
    region_rectangle,
    weighted_residual,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.dynamics import Profile
    from lifemask.heads import Topology
    from lifemask.rendering._scene import Texture

_FINEST_SHARE: Final = 0.05
"""Share of a region's faces that may be sampled a little more coarsely than they could be, so
that a few small ones do not make the whole region be composed at a finer level."""


class DynamicAlbedo:
    """Composes outputs of a dynamic texture into the pyramid of an albedo.

    Args:
        albedo: Pyramid of the static one; it stays as it is.
        topology: Of the head.
        layout: Of the outputs.
    """

    def __init__(self, albedo: Texture, topology: Topology, layout: Layout) -> None:
        self.layout = layout
        self._static = albedo
        self._texels = albedo.texels.copy()
        texels = layout_texels(topology, layout)
        shown = layout.masks().ravel()[texels.index] > 0
        names = [one.name for one in layout.regions]
        self._groups = []
        # Regions over skin overlap, so they are composed at the same levels.
        for group in (SKIN_REGIONS, *((name,) for name in names if name not in SKIN_REGIONS)):
            numbers = [i for i, name in enumerate(names) if name in group]
            faces = np.unique(texels.face[shown & np.isin(texels.region, numbers)])
            if len(faces):
                regions = tuple(layout.regions[i] for i in numbers)
                self._groups.append((Layout(regions, layout.size), faces))

    def compose(
        self, output: NDArray[np.floating], footprints: NDArray[np.float32]
    ) -> tuple[Texture, NDArray[np.float32]]:
        """Return the albedo of a frame, valid until the next call.

        Args:
            output: `(size, size, 3)` in [0, 1], see `DynamicTexture.evaluate`.
            footprints: `(n_faces,)`, see `Surface.footprints`.

        Returns:
            The pyramid, and footprints that read no level of it that was not composed.
        """
        weighted = weighted_residual(np.nan_to_num(output, nan=0.5), self.layout)
        held = footprints.copy()
        for regions, faces in self._groups:
            own = np.nan_to_num(footprints[faces], nan=0.0, neginf=0.0, posinf=0.0)
            finest = float(np.quantile(own, _FINEST_SHARE)) + self._static.log_size
            last = len(self._static.offsets) - 1
            first = int(np.clip(np.floor(finest), 0, last))
            held[faces] = np.maximum(held[faces], np.float32(first - self._static.log_size))
            for level in range(first, last + 1):
                picture, static = self._level(self._texels, level), self._level(None, level)
                for region in regions.regions:
                    rectangle = region_rectangle(region, picture.shape[:2])
                    picture[rectangle] = static[rectangle]
                add_residual(picture, weighted, regions)
        return self._static._replace(texels=self._texels), held

    def _level(self, texels: NDArray[np.uint32] | None, number: int) -> NDArray[np.uint8]:
        """Return one level of these texels, or of the static ones, `(height, width, 4)`."""
        static = self._static
        height, width = int(static.heights[number]), int(static.widths[number])
        first = int(static.offsets[number])
        run = (static.texels if texels is None else texels)[first : first + height * width]
        return run.view(np.uint8).reshape(height, width, 4)


def layout_of(output: NDArray[np.floating], topology: Topology) -> Layout:
    """Return the layout that outputs of this shape have when nobody says which.

    Raises:
        ValueError: No profile has this size.
    """
    profiles: dict[int, Profile] = {256: "desktop", 128: "web", 512: "high"}
    assert set(profiles) == set(PROFILE_SIZES.values())
    if output.ndim != 3 or output.shape != (output.shape[0], output.shape[0], 3):
        raise ValueError(f"the dynamic texture has shape {output.shape}, expected (size, size, 3)")
    if output.shape[0] not in profiles:
        raise ValueError(f"the dynamic texture has {output.shape[0]} texels on a side")
    return face_layout(topology, profiles[output.shape[0]])
