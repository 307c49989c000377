"""The report that people read: one page without scripts."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np

from lifemask.evaluation._measure import AIM_PERCENT, MUST_PERCENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lifemask.evaluation._measure import FitMeasurement

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #ddd; }
td:first-child, th:first-child { text-align: left; }
figure { display: inline-block; margin: .5em; vertical-align: top; }
figure img { width: 31em; max-width: 100%; } figcaption { color: #555; }
.bad { color: #b00; font-weight: bold; } svg { max-width: 100%; }
"""
_CHART_WIDTH, _CHART_HEIGHT = 900, 160


def report_page(
    measurements: Sequence[FitMeasurement],
    pictures: Mapping[str, Sequence[tuple[str, str]]],
    curves: Mapping[str, NDArray[np.float64]],
) -> str:
    """Return the page.

    Args:
        measurements: One for each input.
        pictures: Relative path and caption of each picture, by name of the input.
        curves: Error of each frame, percent, by name of the input; photos have none.
    """
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>Fit report</title><style>{_STYLE}</style><h1>Fit report</h1>",
        "<p>Distance between the landmarks that were detected and the fitted head, in percent of "
        "the distance between the outer eye corners; mean over the points, then median over the "
        f"frames. Must be ≤ {MUST_PERCENT}, aim ≤ {AIM_PERCENT}. <em>personal</em> is the median "
        "with the offsets that <code>build</code> adds to the identity of a video.</p>",
        _table(measurements),
    ]
    for one in measurements:
        parts.append(f"<h2>{html.escape(one.name)}</h2>{_facts(one)}")
        if one.name in curves:
            parts.append(_chart(curves[one.name]))
        parts += [_figure(path, caption) for path, caption in pictures.get(one.name, ())]
    return "\n".join(parts)


def _table(measurements: Sequence[FitMeasurement]) -> str:
    regions = list(measurements[0].regions)
    titles = ["input", "frames", "lost", "median", "90 %", "largest", "personal", *regions]
    head = "".join(f"<th>{title}</th>" for title in titles)
    return f"<table><tr>{head}</tr>{''.join(_row(one, regions) for one in measurements)}</table>"


def _row(one: FitMeasurement, regions: Sequence[str]) -> str:
    mark = "" if one.passed else " class='bad'"
    cells = [
        f"<td>{html.escape(one.name)}</td><td>{one.frames}</td><td>{one.lost}</td>",
        f"<td{mark}>{one.error.median:.2f}</td>",
        f"<td>{one.error.percentile_90:.2f}</td><td>{one.error.largest:.2f}</td>",
    ]
    personal = "" if one.personal is None else f"{one.personal.median:.2f}"
    cells.append(f"<td>{personal}</td>")
    cells += [f"<td>{one.regions[region].median:.2f}</td>" for region in regions]
    return f"<tr>{''.join(cells)}</tr>"


def _facts(one: FitMeasurement) -> str:
    facts = [
        f"focal length {one.focal:.2f} × the longer side",
        f"identity {one.identity_norm:.2f} × that of an average adult",
    ]
    if one.bias is not None:
        facts.append(f"constant part of the error {one.bias:.2f} %")
    facts += [f"{step} {seconds:.1f} s" for step, seconds in one.seconds.items()]
    lines = [", ".join(facts)]
    if one.mean_coefficients:
        lines.append("mean coefficients: " + _listed(one.mean_coefficients))
    if one.agreement:
        lines.append("correlation with the landmarker's own scores: " + _listed(one.agreement))
    return "".join(f"<p>{line}</p>" for line in lines)


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{html.escape(name)} {value:.2f}" for name, value in values.items())


def _figure(path: str, caption: str) -> str:
    source, text = html.escape(path, quote=True), html.escape(caption)
    return f"<figure><img src='{source}' alt='{text}'><figcaption>{text}</figcaption></figure>"


def _chart(errors: NDArray[np.float64]) -> str:
    """Return the error over the frames as a drawing."""
    top = max(float(errors.max()) * 1.1, MUST_PERCENT * 1.2)
    x = np.linspace(0, _CHART_WIDTH, len(errors))
    y = _CHART_HEIGHT * (1.0 - errors / top)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    limit = _CHART_HEIGHT * (1.0 - MUST_PERCENT / top)
    return (
        f"<svg viewBox='0 0 {_CHART_WIDTH} {_CHART_HEIGHT}' width='{_CHART_WIDTH}'>"
        f"<line x1='0' x2='{_CHART_WIDTH}' y1='{limit:.1f}' y2='{limit:.1f}' stroke='#b00' "
        "stroke-dasharray='4'/>"
        f"<polyline points='{line}' fill='none' stroke='#06c' stroke-width='1.5'/></svg>"
    )
