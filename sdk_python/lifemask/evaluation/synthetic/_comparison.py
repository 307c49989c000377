"""A built head against the true one: the same points on both, whatever their topologies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask.evaluation.synthetic._surfaces import Alignment, Millimetres, Regions, distances
from lifemask.heads import JOINT_NAMES
from lifemask.rigging import topology_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation.synthetic._truth import Truth
    from lifemask.heads import Head
    from lifemask.rigging import TopologyMap
    from lifemask.tracking import FrameSolution

_MODELS: Final = {"lifemask-head": "default", "ict-facekit": "ict"}
SHOWN: Final = ("face", "eyes", "mouth", "sides", "ears")


@dataclass(frozen=True)
class Comparison:
    """A built head and the true one.

    Attributes:
        built: By the product.
        true: Of the person.
        regions: Of the true head at rest.
        across: Takes vertices of the built head's topology to those of the true head's, and what
            it does not reach is not compared; None where both are the same.
    """

    built: Head
    true: Head
    regions: Regions
    across: TopologyMap | None = None

    @classmethod
    def of(cls, built: Head, true: Head) -> Comparison:
        """Compare two heads, through the committed registration where their topologies differ.

        Raises:
            InputError: There is no registration between the two.
        """
        regions = Regions.of(true)
        names = [_MODELS[head.topology.asset_id] for head in (built, true)]
        if names[0] == names[1]:
            return cls(built, true, regions)
        across = topology_map(*names)
        return cls(built, true, regions.limited_to(across.vertices), across)

    @property
    def size_error(self) -> float:
        """Relative error of the size that the product assumed: distance of the eye joints."""
        return _eye_distance(self.built) / _eye_distance(self.true) - 1.0

    def neutral(self) -> dict[str, Any]:
        """Return errors of the head at rest, mm: rigid, at the true size, and with free scale."""
        here, there = self._points(self.built.neutral), self.true.neutral
        face = self.regions.weights["face"]
        sized = here / (1.0 + self.size_error)
        rows: dict[str, Any] = {}
        for name, points, scaled in (
            ("rigid", here, False),
            ("pupil_distance_known", sized, False),
            ("similarity", here, True),
        ):
            away, alignment = distances(points, there, face, scaled=scaled)
            rows[name] = self._statistics(away)
            if scaled:
                rows["scale_error_percent"] = 100 * (1 / alignment.scale - 1)
        return rows

    def frame(self) -> Alignment:
        """Return the rigid motion from the built head's frame to the true head's, true size."""
        sized = self._points(self.built.neutral) / (1.0 + self.size_error)
        plain = Alignment.between(sized, self.true.neutral, self.regions.weights["face"])
        return Alignment(1.0 / (1.0 + self.size_error), plain.rotation, plain.translation)

    def moving(
        self, solutions: Sequence[FrameSolution | None], truth: Truth, every: int = 1
    ) -> dict[str, Any]:
        """Return errors of the tracked frames, mm; each frame is aligned by its face disc.

        Args:
            solutions: One for each frame of the truth, solved with the built head.
            truth: Of the clip.
            every: Step between the frames that are compared.
        """
        face = self.regions.weights["face"]
        rows: dict[str, list[NDArray[np.float64]]] = {
            "rigid": [],
            "pupil_distance_known": [],
            "similarity": [],
        }
        for number in range(0, len(truth), every):
            solution = solutions[number]
            if solution is None:
                continue
            vertices = self.built.vertices(solution.coefficients, gaze=solution.gaze)
            here, there = self._points(vertices), truth.vertices(number)
            sized = here / (1.0 + self.size_error)
            rows["rigid"].append(distances(here, there, face)[0])
            rows["pupil_distance_known"].append(distances(sized, there, face)[0])
            rows["similarity"].append(distances(here, there, face, scaled=True)[0])
        return {
            name: _mean([self._statistics(away) for away in several])
            for name, several in rows.items()
        }

    def _points(self, vertices: NDArray[np.floating]) -> NDArray[np.floating]:
        if self.across is None:
            return vertices
        points = np.zeros(self.true.neutral.shape)
        points[self.across.vertices] = self.across.transfer(vertices)
        return points

    def _statistics(self, away: NDArray[np.float64]) -> dict[str, Millimetres]:
        weights = self.regions.weights
        return {
            name: Millimetres.of(away, weights[name]) for name in SHOWN if weights[name].sum() > 0
        }


def _mean(several: list[dict[str, Millimetres]]) -> dict[str, Millimetres]:
    return {name: Millimetres.mean_of([one[name] for one in several]) for name in several[0]}


def _eye_distance(head: Head) -> float:
    left, right = (head.joints[JOINT_NAMES.index(name)] for name in ("EyeLeft", "EyeRight"))
    return float(np.linalg.norm(left - right))
