"""Choosing frames: those that tell the shape, and those that show the skin at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.tracking import REGIONS, choose_key_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.avatar._capture_clip import Clip
    from lifemask.avatar._capture_judge import Verdict
    from lifemask.tracking import FaceLandmarks

KEY_FRAMES: Final = 28
TEXTURE_FRAMES: Final = 24
_PER_VIEW: Final = 2
"""Most frames of one direction: more of the same add blur and no skin."""

_CALM_FRAMES: Final = 3
_PARTED: Final = 60.0
"""Unrest of a gap between the lips, in units of the distance of the outer eye corners: lips that
part by a thirtieth of it show what is behind them, which no score of the landmarker tells."""

_BLINK: Final = 3.0
_TOO_RESTLESS: Final = 1.5
"""How much more restless than the calmest frame a frame for the texture may be."""

_MOVED: Final = 30.0
"""Unrest of lips and brows that are away from where they rest, in the same unit."""

_CALM_SHARE: Final = 0.2
"""Share of the frames, the calmest by their scores, that say where lips and brows rest."""

_TURNED: Final = 0.08
"""Shift of the nose against the sides of the face from which a head counts as turned."""

YAW_BIN: Final = np.deg2rad(10.0)
PITCH_BIN: Final = np.deg2rad(15.0)


@dataclass(frozen=True)
class Choice:
    """Frames of one clip that were chosen, as places in it.

    Attributes:
        shape: For identity and head shape, ascending.
        texture: For the skin, ascending; each of them is in `shape` as well.
    """

    shape: tuple[int, ...]
    texture: tuple[int, ...]


def choose_frames(clips: Sequence[Clip], verdicts: Sequence[Verdict]) -> list[Choice]:
    """Choose the frames of all clips of a person together.

    For the shape: frames that differ most in pose and expression, and calm ones. For the skin:
    the calmest and sharpest of every direction, from bins of 10° of yaw and 15° of pitch.

    Args:
        clips: Of one person.
        verdicts: One for each clip.
    """
    places = [(number, i) for number, clip in enumerate(clips) for i in range(len(clip))]
    faces = [
        face if usable else None
        for clip, verdict in zip(clips, verdicts, strict=True)
        for face, usable in zip(clip.faces, verdict.for_shape, strict=True)
    ]
    texture = set(_texture_frames(clips, verdicts))
    keys = {places[i] for i in (*choose_key_frames(faces, KEY_FRAMES), *calm_frames(faces))}
    return [
        Choice(
            tuple(sorted(i for n, i in keys | texture if n == number)),
            tuple(sorted(i for n, i in texture if n == number)),
        )
        for number in range(len(clips))
    ]


def calm_frames(faces: Sequence[FaceLandmarks | None]) -> list[int]:
    """Choose frames at rest: eyes open, lips closed, from the front and from both sides.

    Key frames tell most about the shape of a face, and hence show every grimace of the video.

    Args:
        faces: Landmarks of the frames, None where the face was lost.

    Returns:
        Indices into `faces`, at most three for each side, calmest first.
    """
    whole = [i for i, face in enumerate(faces) if face is not None and not face.reaches_border()]
    seen = [(i, face) for i in whole if (face := faces[i]) is not None]
    sides: dict[int, list[tuple[float, int]]] = {-1: [], 0: [], 1: []}
    for i, face in seen:
        turn = _turn(face)
        side = 0 if abs(turn) < _TURNED else int(np.sign(turn))
        sides[side].append((unrest(face), i))
    return [i for side in sides.values() for _, i in sorted(side)[:_CALM_FRAMES]]


def unrest(face: FaceLandmarks) -> float:
    """Return how far a face is from rest; parted lips and closed eyes count most."""
    upper, lower, right, left = face.pixels[[13, 14, 33, 263]]
    parted = float(np.linalg.norm(upper - lower) / np.linalg.norm(right - left))
    return _PARTED * parted + sum(
        score * (_BLINK if name.startswith("eyeBlink") else 1.0)
        for name, score in face.scores.items()
    )


def _turn(face: FaceLandmarks) -> float:
    """Return where the nose lies between the sides of the face: 0 in the middle, 0.5 at one."""
    nose, one, other = face.pixels[[1, 234, 454], 0]
    return float((nose - one) / (other - one) - 0.5) if other != one else 0.5


def _texture_frames(clips: Sequence[Clip], verdicts: Sequence[Verdict]) -> list[tuple[int, int]]:
    """Return clip and place of the frames that show the skin best."""
    found: list[tuple[tuple[int, int], float, float, tuple[int, int]]] = []
    for number, (clip, verdict) in enumerate(zip(clips, verdicts, strict=True)):
        usable = verdict.for_texture if verdict.for_texture.any() else verdict.for_shape
        views, restless = _views(clip), _restlessness(clip)
        for i in np.flatnonzero(usable):
            face = clip.face(int(i))
            # Pixels on the skin and sharpness make good texture; both saturate.
            detail = min(float(verdict.sharpness[i]), 1.2) * min(face.size, 1024.0) ** 0.5
            found.append((views[i], float(restless[i]), detail, (number, int(i))))
    if not found:
        return []
    calmest = min(one[1] for one in found)
    best = max(one[2] for one in found)
    groups: dict[tuple[int, int], list[tuple[float, tuple[int, int]]]] = {}
    for view, restless, detail, place in found:
        if restless <= calmest + _TOO_RESTLESS:
            score = (restless - calmest) / _TOO_RESTLESS + (1.0 - detail / best)
            groups.setdefault(view, []).append((score, place))
    ahead = sorted(groups, key=lambda view: (abs(view[1]), abs(view[0]), view))
    ranked = [_apart(sorted(groups[view])) for view in ahead]
    rounds = [group[turn] for turn in range(_PER_VIEW) for group in ranked if len(group) > turn]
    return rounds[:TEXTURE_FRAMES]


def _restlessness(clip: Clip) -> NDArray[np.float64]:
    """Return `(n,)` unrest by the landmarker's scores and by where lips and brows are.

    Lips that are pulled to a side, or pressed, move no score of the landmarker's.
    """
    scored = np.array([np.inf if face is None else unrest(face) for face in clip.faces])
    places = np.einsum("nji,npj->npi", clip.rotations, clip.points * (1.0, -1.0, -1.0))
    corners = places[:, [33, 263]]
    size = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1)
    moving = places[:, np.concatenate([REGIONS["lips"], REGIONS["brows"]])]
    moving = (moving - corners.mean(axis=1)[:, None])[..., :2] / size[:, None, None]
    calm = np.argsort(scored, kind="stable")[: max(1, int(_CALM_SHARE * clip.seen.sum()))]
    away = np.linalg.norm(moving - np.median(moving[calm], axis=0), axis=2).mean(axis=1)
    return np.where(clip.seen, scored + _MOVED * np.nan_to_num(away), np.inf)


def _apart(ranked: list[tuple[float, tuple[int, int]]]) -> list[tuple[int, int]]:
    """Return the best places first, skipping neighbours in time of one already taken."""
    taken: list[tuple[int, int]] = []
    for _, (number, i) in ranked:
        if all(n != number or abs(j - i) > 5 for n, j in taken):
            taken.append((number, i))
        if len(taken) == _PER_VIEW:
            break
    return taken


def _views(clip: Clip) -> list[tuple[int, int]]:
    """Return the bin of yaw and pitch of each frame; what is not seen lies in the middle."""
    yaw = np.floor(np.nan_to_num(clip.yaw) / YAW_BIN + 0.5).astype(int)
    pitch: NDArray[np.int64] = np.floor(np.nan_to_num(clip.pitch) / PITCH_BIN + 0.5).astype(int)
    return list(zip(yaw.tolist(), pitch.tolist(), strict=True))
