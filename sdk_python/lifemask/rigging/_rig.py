"""The 52 shapes for a head of the user's own topology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask._errors import InputError
from lifemask.geometry import ClosestPoints, Mesh, closest_barycentric, vertex_normals
from lifemask.heads import COEFFICIENT_COUNT, COEFFICIENT_INDEX, load_head_model
from lifemask.rigging._contacts import Contact, shipped_contacts
from lifemask.rigging._meeting import Eyeball, blink_that_closes, lips_that_close
from lifemask.rigging._personal import personal_head, transferred_shapes
from lifemask.rigging._registration import rigid_motion
from lifemask.rigging._rig_parts import FOLLOWS, MOUTH_PARTS, SKIN, Pieces, find_pieces
from lifemask.rigging._scan import ScanFit, fit_scan
from lifemask.rigging._transfer import DeformationTransfer, frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lifemask.heads import Head
    from lifemask.tracking import Landmarker

FEWEST_POINTS: Final = 500
"""Places of the face's piece below which no shape can be told from another."""
_CANDIDATES: Final = 40
_NEAR: Final = 0.004
_FAR: Final = 0.02
"""Metres from our fitted skin up to which a movement is believed wholly, and from which not."""
_ON: Final = 0.002
"""Metres within which lids and lips lie on ours; lashes of one piece with them do not."""
_REACH: Final = 0.012
"""Metres over which movements are held near those of the fitted skin."""
_BESIDE: Final = 0.0015
"""Metres over which one piece passes from gums to tongue."""
_AT_ONCE: Final = 8
"""Shapes that are solved together, for the sake of memory."""
_JAW_OPEN: Final = COEFFICIENT_INDEX["jawOpen"]
_MOUTH_CLOSE: Final = COEFFICIENT_INDEX["mouthClose"]


@dataclass(frozen=True)
class RiggedMesh:
    """A user's head with the 52 shapes.

    Attributes:
        deltas: `(52, n, 3)` float32 in the file's frame and unit, in the order of `Mesh.points`.
        fit: Of our head to it.
        head: Our head in its shape, with personal shapes.
        pieces: What the mesh consists of.
        contacts: Where its lids and lips meet; without those that were not found.
    """

    deltas: NDArray[np.float32]
    fit: ScanFit
    head: Head
    pieces: Pieces
    contacts: dict[str, Contact]

    def gaps_mm(self, mesh: Mesh) -> dict[str, tuple[float, float]]:
        """Return least and largest gap of closed lids and lips, millimetres, by name."""
        placed = self.fit.motion.apply(mesh.points)[self.pieces.first]
        moved = self._placed_deltas()
        found = {}
        for name, contact in self.contacts.items():
            rows = (_JAW_OPEN, _MOUTH_CLOSE)
            if name != "mouth":
                rows = (COEFFICIENT_INDEX[f"eyeBlink{name[4:].capitalize()}"],)
            closed = placed + sum(moved[row] for row in rows)
            ways = 1000.0 * contact.bridges(closed, contact.columns(placed))
            gap = np.where(ways[:, 2] == 0, ways[:, 1], np.linalg.norm(ways, axis=1))
            found[name] = (round(float(gap.min()), 3), round(float(gap.max()), 3))
        return found

    def _placed_deltas(self) -> NDArray[np.float64]:
        motion = self.fit.motion
        here = self.deltas[:, self.pieces.first].astype(np.float64)
        return motion.scale * (here @ motion.rotation.T)


def rig_mesh(
    mesh: Mesh,
    landmarker: Landmarker | None,
    *,
    landmarks: NDArray[np.floating] | None = None,
) -> RiggedMesh:
    """Make the 52 shapes for a head of any topology.

    Our head is fitted to it as to a scan, and gets shapes of its own. The user's skin then takes
    the deformation gradients of the triangles of ours that lie on it and face its way
    (deformation transfer between two topologies, Sumner and Popovic 2004), held near the movements
    of the places themselves; blinks are made to close and lips to meet on the user's own lids and
    lips. Eyes stay, upper teeth stay, lower teeth turn rigidly with the jaw, a tongue follows ours,
    and everything else follows the nearest skin.

    Args:
        mesh: In any unit and orientation; not mirrored.
        landmarker: Finds the face in pictures of it; not asked where the landmarks are given.
        landmarks: `(478, 3)` on the mesh in its own frame and unit, NaN where unknown.

    Raises:
        NoFaceError: No face was seen from any side.
        InputError: The mesh is too coarse for expressions, or is not a head.
    """
    fit = fit_scan(mesh, load_head_model(), landmarker, landmarks=landmarks)
    placed = fit.motion.apply(mesh.points)
    pieces = find_pieces(placed, mesh.faces, fit.head)
    skin = pieces.of_kind(SKIN)
    if len(skin) < FEWEST_POINTS:
        raise InputError(
            f"the face has {len(skin)} points, too few for expressions",
            hint=f"Give a mesh whose face and head have at least {FEWEST_POINTS} points.",
        )
    _refuse_other_things(fit)
    head = personal_head(fit.head)
    points = placed[pieces.first]
    skin_faces = pieces.faces[np.isin(pieces.faces[:, 0], skin)]
    if fit.motion.scale > 0 and _inside_out(points, skin_faces):
        skin_faces = skin_faces[:, ::-1]
    match = _match(points, skin_faces, fit.head)
    moved = _skin_shapes(points, skin_faces, skin, match, fit.head)
    contacts = _contacts(points, skin_faces, match)
    moved = _closed(points, moved, contacts, head)
    _other_pieces(points, moved, pieces, skin_faces, head)
    back = moved[:, pieces.place] @ fit.motion.rotation / fit.motion.scale
    return RiggedMesh(back.astype(np.float32), fit, head, pieces, contacts)


def _refuse_other_things(fit: ScanFit) -> None:
    if fit.distance_mm["median"] > 4.0:
        raise InputError(
            "the mesh is not like a head: our own does not fit to it",
            hint="Give a mesh of one head with its mouth shut and its eyes open.",
        )


def _inside_out(points: NDArray[np.float64], faces: NDArray[np.int64]) -> bool:
    a, b, c = points[faces].transpose(1, 0, 2)
    middle = points[np.unique(faces)].mean(axis=0)
    return bool(np.sum(np.cross(b - a, c - a) * (a - middle)) < 0)


@dataclass(frozen=True)
class _Match:
    """Where the user's places lie on our fitted head.

    Attributes:
        faces: `(k,)` rows of our shell's faces.
        weights: `(k, 3)` barycentric.
        distance: `(k,)` m.
    """

    faces: NDArray[np.int64]
    weights: NDArray[np.float64]
    distance: NDArray[np.float64]


def _match(points: NDArray[np.float64], faces: NDArray[np.int64], head: Head) -> _Match:
    """Match places to the nearest of our faces that faces their way: lips touch their partners."""
    from scipy.spatial import KDTree

    ours = head.neutral.astype(np.float64)
    shell = head.topology.faces[: head.topology.parts["mouth"].faces.stop]
    corners = ours[shell]
    normals = vertex_normals(ours, shell)[shell].mean(axis=1)
    # The cups behind the lids lie on the lids' backs, and are no place of another head's skin.
    outer = np.flatnonzero(~(head.topology.masks["sockets"][shell] > 0.5).all(axis=1))
    theirs = vertex_normals(points, faces)
    tree = KDTree(corners[outer].mean(axis=1))
    chosen = np.empty(len(points), np.int64)
    weights, distance = np.empty((len(points), 3)), np.empty(len(points))
    for start in range(0, len(points), 20_000):
        run = slice(start, start + 20_000)
        near = outer[np.asarray(tree.query(points[run], k=_CANDIDATES)[1])]
        shares = closest_barycentric(points[run][:, None], corners[near])
        at = np.einsum("nkc,nkcd->nkd", shares, corners[near])
        away = np.linalg.norm(at - points[run][:, None], axis=2)
        facing = np.einsum("nkd,nd->nk", normals[near], theirs[run])
        best = np.argmin(away + 0.006 * (1.0 - facing), axis=1)
        rows = np.arange(len(near))
        chosen[run], weights[run] = near[rows, best], shares[rows, best]
        distance[run] = away[rows, best]
    return _Match(chosen, weights, distance)


def _skin_shapes(
    points: NDArray[np.float64],
    faces: NDArray[np.int64],
    skin: NDArray[np.int64],
    match: _Match,
    head: Head,
) -> NDArray[np.float64]:
    """Return `(52, k, 3)` m: deformation transfer from our shell to the user's skin."""
    shell = head.topology.parts["skin"].vertices
    ours = head.neutral[shell].astype(np.float64)
    our_faces = head.topology.faces[: head.topology.parts["mouth"].faces.stop]
    shapes = transferred_shapes(head)[:, shell]
    shapes[_MOUTH_CLOSE] += shapes[_JAW_OPEN]
    trust = np.clip((_FAR - match.distance) / (_FAR - _NEAR), 0.02, 1.0)
    carried = np.einsum("nk,enkd->end", match.weights, shapes[:, our_faces[match.faces]])
    carried *= np.clip((_FAR - match.distance) / (_FAR - _NEAR), 0.0, 1.0)[:, None]
    still = (np.abs(carried) < 1e-6).all(axis=(0, 2))
    pinned = still.copy()
    solver = DeformationTransfer.prepare(points, points, faces, pinned, reach=_REACH, trust=trust)
    # A triangle takes the mean gradient of ours on which its corners lie.
    source = match.faces[solver.faces]
    rest = np.linalg.inv(frames(ours, our_faces))
    result = np.zeros_like(carried)
    for start in range(0, COEFFICIENT_COUNT, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        gradient = np.stack([frames(ours + one, our_faces) @ rest for one in shapes[some]])
        gradient -= np.eye(3)
        mean = gradient[:, source].mean(axis=2)
        change = mean.transpose(1, 3, 0, 2)
        result[some] = solver.solve(change.reshape(3 * len(source), -1), carried[some])
    result[_MOUTH_CLOSE] -= result[_JAW_OPEN]
    keep = np.zeros(len(points), bool)
    keep[skin] = True
    result[:, ~keep] = 0.0
    return result


def _contacts(
    points: NDArray[np.float64], faces: NDArray[np.int64], match: _Match
) -> dict[str, Contact]:
    """Return the user's lids and lips that meet: their faces that lie on ours."""
    topology = load_head_model().topology
    shell = topology.faces[: topology.parts["mouth"].faces.stop]
    rows = {tuple(face): row for row, face in enumerate(shell.tolist())}
    corner = np.argmin(match.distance[faces], axis=1)
    at = faces[np.arange(len(faces)), corner]
    on, near = match.faces[at], match.distance[faces].max(axis=1) < _ON
    found = {}
    for name, ours in shipped_contacts().items():
        sides = [
            faces[near & np.isin(on, [rows[tuple(face)] for face in side.tolist()])].astype(
                np.int32
            )
            for side in (ours.upper, ours.lower, ours.joint)
        ]
        if len(sides[0]) < 8 or len(sides[1]) < 8:
            continue
        neutral = load_head_model().neutral
        ends = []
        for vertex in ours.corners:
            used = np.unique(np.concatenate(sides))
            on_ours = np.einsum(
                "nk,nkd->nd", match.weights[used], neutral[shell[match.faces[used]]]
            )
            ends.append(int(used[np.argmin(np.linalg.norm(on_ours - neutral[vertex], axis=1))]))
        found[name] = Contact(name, sides[0], sides[1], (ends[0], ends[1]), sides[2])
    return found


def _closed(
    points: NDArray[np.float64],
    moved: NDArray[np.float64],
    contacts: dict[str, Contact],
    head: Head,
) -> NDArray[np.float64]:
    """Return shapes under which the user's lids and lips meet."""
    moved = moved.copy()
    for side in ("Left", "Right"):
        contact = contacts.get(f"eye_{side.lower()}")
        if contact is not None:
            row = COEFFICIENT_INDEX[f"eyeBlink{side}"]
            ball = Eyeball.of(head, f"eye_{side.lower()}", f"Eye{side}")
            moved[row] = blink_that_closes(points, moved[row], contact, ball)
    if "mouth" in contacts:
        moved[_MOUTH_CLOSE] = lips_that_close(
            points, moved[_JAW_OPEN], moved[_MOUTH_CLOSE], contacts["mouth"]
        )
    return moved


def _other_pieces(
    points: NDArray[np.float64],
    moved: NDArray[np.float64],
    pieces: Pieces,
    skin_faces: NDArray[np.int64],
    head: Head,
) -> None:
    """Move what is not skin, in place; eyes and upper teeth stay."""
    follows = pieces.of_kind(FOLLOWS)
    if len(follows):
        roots = ClosestPoints(points, skin_faces)(points[follows])
        corners = skin_faces[roots.faces]
        moved[:, follows] = np.einsum("nk,enkd->end", roots.barycentric, moved[:, corners])
    teeth, tongue = pieces.of_kind("teeth_lower"), pieces.of_kind("tongue")
    rigid = _rigid_jaw(head)
    for row, (turn, shift) in rigid.items():
        moved[row, teeth] = points[teeth] @ turn.T + shift - points[teeth]
    if len(tongue):
        _move_tongue(points, moved, tongue, rigid, head)


def _rigid_jaw(head: Head) -> dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return the motion of our lower teeth by the number of the shape."""
    run = head.topology.parts["teeth_lower"].vertices
    ours, found = head.neutral[run].astype(np.float64), {}
    for row in np.flatnonzero(head.expression_deltas[:, run].any(axis=(1, 2))):
        delta = head.expression_deltas[row, run]
        found[int(row)] = rigid_motion(ours, ours + delta, np.ones(len(ours)))
    return found


def _move_tongue(
    points: NDArray[np.float64],
    moved: NDArray[np.float64],
    mine: NDArray[np.int64],
    rigid: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]],
    head: Head,
) -> None:
    """Move tongues, in place; gums that are one piece with them go with the teeth beside them."""
    whole, topology = head.neutral.astype(np.float64), head.topology
    found = {
        part: ClosestPoints(whole, topology.faces[topology.parts[part].faces])(points[mine])
        for part in MOUTH_PARTS
    }
    near = np.stack([np.exp(-found[part].distance / _BESIDE) for part in MOUTH_PARTS]) + 1e-12
    near[0, found["teeth_upper"].distance > found["tongue"].distance + 0.012] = 0.0
    _, lower, tongue = near / near.sum(axis=0)
    faces = topology.faces[topology.parts["tongue"].faces][found["tongue"].faces]
    for row in range(COEFFICIENT_COUNT):
        deltas = head.expression_deltas[row][faces].astype(np.float64)
        if not deltas.any() and row not in rigid:
            continue
        own = np.einsum("nk,nkd->nd", found["tongue"].barycentric, deltas)
        moved[row, mine] = tongue[:, None] * own
        if row in rigid:
            turn, shift = rigid[row]
            moved[row, mine] += lower[:, None] * (points[mine] @ turn.T + shift - points[mine])
