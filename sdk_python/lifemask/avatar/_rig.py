"""The public function `lifemask.rig`: 52 shapes for a head of the user's own, and their picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask._files import check_folder, write_bytes
from lifemask._progress import ProgressCallback, no_progress
from lifemask._version import __version__
from lifemask.avatar._avatar import Avatar
from lifemask.geometry import MESH_SUFFIXES, read_mesh, write_image
from lifemask.heads import COEFFICIENT_INDEX, COEFFICIENT_NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lifemask.geometry import Mesh
    from lifemask.rigging import RiggedMesh

_LANDMARKS: Final = 478
_VIEW: Final = 224
_TURN: Final = 14.0


@dataclass(frozen=True)
class RigReport:
    """What `rig` found and wrote.

    Attributes:
        path: The GLB file; None where none was asked for.
        grid: The picture of all shapes; None where none was asked for.
        unit: What a mesh was taken to be in, see `ScanFit`; empty for an avatar.
        pieces: How many pieces of each kind a mesh has; empty for an avatar.
        gaps_mm: Least and largest gap of closed lids and lips, millimetres, by name.
        fit_mm: From our fitted head to a mesh: `mean`, `median`, `90_percent`.
    """

    path: Path | None
    grid: Path | None
    unit: str
    pieces: Mapping[str, int]
    gaps_mm: Mapping[str, tuple[float, float]]
    fit_mm: Mapping[str, float]


def rig(
    source: str | Path,
    output: str | Path | None = None,
    *,
    landmarks: str | Path | None = None,
    grid: str | Path | None = None,
    progress: ProgressCallback = no_progress,
) -> RigReport:
    """Make the 52 shapes for a head of any topology, or draw those of an avatar.

    A GLB file keeps everything it has and gains 52 named morph targets; of an OBJ or PLY file a
    GLB file is made. See `lifemask.rigging.rig_mesh` for the method.

    Args:
        source: `.glb`, `.obj` or `.ply` of one head with its mouth shut and its eyes open, in any
            unit and orientation; or an avatar package, of which the shapes are drawn.
        output: `.glb` to write; nothing is written when left out.
        landmarks: JSON that maps numbers of MediaPipe's face mesh to places `[x, y, z]` on the
            mesh, in its own frame and unit, in place of the landmarker.
        grid: Picture of all shapes to write.
        progress: Told what is being done.

    Raises:
        InputError: The file is no mesh, the mesh no head or too coarse, the landmarks no face.
        NoFaceError: No face was seen on the mesh from any side.
        PackageError: The avatar package cannot be read.
        ModelFileError: The landmarker's model is not on this machine.
        ExportError: A file cannot be written.
    """
    source = Path(source)
    out, picture = (None if one is None else Path(one) for one in (output, grid))
    if out is not None and out.suffix.lower() != ".glb":
        raise InputError(f"{out.name} is not a .glb file", hint="Shapes are written as GLB.")
    for path in (out, picture):
        if path is not None:
            check_folder(path)
    if source.suffix.lower() not in MESH_SUFFIXES:
        return _avatar_report(source, out, picture, progress)
    mesh = read_mesh(source)
    marks = None if landmarks is None else read_landmarks(landmarks)
    progress("make the shapes", 0.0)
    rigged = _rigged(mesh, marks)
    progress("make the shapes", 1.0)
    if out is not None:
        write_bytes(out, _glb(source, mesh, rigged))
    if picture is not None:
        write_image(picture, mesh_shape_grid(mesh, rigged))
    kinds = rigged.pieces.kinds
    return RigReport(
        out,
        picture,
        rigged.fit.unit,
        {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        rigged.gaps_mm(mesh),
        rigged.fit.distance_mm,
    )


def read_landmarks(path: str | Path) -> NDArray[np.float64]:
    """Return `(478, 3)` from a JSON file of places by number, NaN where there is none.

    Raises:
        InputError: There is no such file, or it holds something else.
    """
    points = np.full((_LANDMARKS, 3), np.nan)
    try:
        for number, place in json.loads(Path(path).read_text(encoding="utf-8")).items():
            index = int(number)
            if not 0 <= index < _LANDMARKS:
                raise ValueError(f"there is no landmark {index}")
            points[index] = np.asarray(place, np.float64).reshape(3)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"the landmarks in {Path(path).name} cannot be read: {error}",
            hint='Give JSON such as {"33": [x, y, z], "263": [x, y, z], …}.',
        ) from error
    return points


def mesh_shape_grid(mesh: Mesh, rigged: RiggedMesh) -> NDArray[np.uint8]:
    """Draw a rigged mesh at rest and with each shape at weight one; `(h, w, 3)` uint8."""
    from lifemask.rendering import GRID_COLUMNS, contact_sheet, grid_weights
    from lifemask.rigging import PLAIN_SKIN, PaintedMesh, draw_mesh, look_at

    head = rigged.head
    face = head.neutral[head.topology.masks["face"] > 0.5].astype(np.float64)
    middle = 0.5 * (face.min(axis=0) + face.max(axis=0)) - [0.0, 0.01, 0.0]
    width = 0.44 * float(np.ptp(face[:, 1]))
    camera, pose = look_at(middle, width, _TURN, 0.0, 2 * _VIEW)
    plain = np.broadcast_to(np.array(PLAIN_SKIN, np.float32), mesh.points.shape)
    texture = None
    if mesh.texture is not None and mesh.uv is not None and mesh.faces_uv is not None:
        texture = (mesh.uv, mesh.faces_uv, mesh.texture)
    colours = plain if mesh.colours is None else mesh.colours
    pictures = []
    for names in grid_weights().values():
        rows = [COEFFICIENT_INDEX[name] for name in names]
        points = rigged.fit.motion.apply(mesh.points + rigged.deltas[rows].sum(axis=0))
        painted = PaintedMesh(points, mesh.faces, colours, texture=texture)
        drawn = draw_mesh(painted, camera, pose)
        shrunk = drawn.reshape(_VIEW, 2, _VIEW, 2, 3).mean(axis=(1, 3))
        pictures.append(shrunk.astype(np.uint8))
    return contact_sheet(pictures, columns=GRID_COLUMNS, labels=list(grid_weights()))


def _rigged(mesh: Mesh, marks: NDArray[np.float64] | None) -> RiggedMesh:
    from lifemask.rigging import rig_mesh

    if marks is not None:
        return rig_mesh(mesh, None, landmarks=marks)
    from lifemask.tracking import FaceLandmarker

    with FaceLandmarker() as landmarker:
        return rig_mesh(mesh, landmarker)


def _glb(source: Path, mesh: Mesh, rigged: RiggedMesh) -> bytes:
    from lifemask.geometry import add_morph_targets, mesh_to_glb

    if source.suffix.lower() == ".glb":
        return add_morph_targets(source.read_bytes(), COEFFICIENT_NAMES, rigged.deltas)
    metres = rigged.fit.motion.scale
    raw, rows = mesh_to_glb(mesh, scale=metres, generator=f"lifemask {__version__}")
    return add_morph_targets(raw, COEFFICIENT_NAMES, metres * rigged.deltas[:, rows])


def _avatar_report(
    source: Path, out: Path | None, picture: Path | None, progress: ProgressCallback
) -> RigReport:
    from lifemask.rendering import shape_grid
    from lifemask.rigging import worst_gaps_mm

    if out is not None:
        raise InputError(
            f"{source.name} is an avatar, which has its shapes",
            hint="Use lifemask export to write it as GLB, or --grid to draw the shapes.",
        )
    avatar = Avatar.load(source)
    if picture is not None:
        progress("draw the shapes", 0.0)
        write_image(picture, shape_grid(avatar.head, avatar.textures))
        progress("draw the shapes", 1.0)
    return RigReport(None, picture, "", {}, worst_gaps_mm(avatar.head), {})
