"""The page that people read: one file without scripts, its pictures inside."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from lifemask.evaluation._report_charts import bars, embedded_picture, timeline
from lifemask.evaluation.synthetic import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_STYLE = """
:root { color-scheme: light dark; --line: #8885; --soft: #8881; --bad: #c22; --good: #283;
  --aim: #06c; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 1em auto; max-width: 72em;
  padding: 0 .8em; }
h1 { line-height: 1.2; } h2 { margin-top: 2em; border-top: 2px solid var(--line); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: .6em 0; font-size: .9em;
  font-variant-numeric: tabular-nums; }
td, th { padding: .2em .6em; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
td:first-child, th:first-child { text-align: left; }
.text td { text-align: left; white-space: normal; }
figure { margin: 1em 0; } img, svg { max-width: 100%; height: auto; }
figcaption, .note { opacity: .75; font-size: .9em; }
.missed { color: var(--bad); font-weight: bold; } .must { color: var(--good); }
.aim { color: var(--aim); font-weight: bold; }
details { margin: .5em 0; } summary { cursor: pointer; } code { overflow-wrap: anywhere; }
"""

COLUMNS = (
    ("psnr", "PSNR dB", 1),
    ("psnr_mouth", "mouth dB", 1),
    ("psnr_eyes", "eyes dB", 1),
    ("ssim", "SSIM", 3),
    ("ssim_inside", "SSIM in mask", 3),
    ("lpips", "LPIPS", 3),
    ("lpips_mouth", "LPIPS mouth", 3),
    ("lpips_eyes", "LPIPS eyes", 3),
    ("sharpness", "sharpness", 2),
    ("landmarks_all", "landmarks %", 2),
    ("landmarks_lips", "lips %", 2),
    ("landmarks_lids", "lids %", 2),
    ("identity", "identity", 2),
)
"""Key, title and decimals of the numbers of a row."""

_SECTIONS = (
    ("masks", "Masks"),
    ("fit", "Fit"),
    ("photo", "The photo again"),
    ("game", "In a game"),
    ("identity", "Other lights"),
)


def report_page(document: dict[str, Any], folder: Path) -> str:
    """Return the page.

    Args:
        document: Content of `report.json`.
        folder: Where the pictures that it names lie.
    """
    used = [one for one in document["inputs"] if one["status"] == "evaluated"]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>Evaluation</title><style>{_STYLE}</style><h1>Evaluation</h1>",
        f"<p class='note'>lifemask {_safe(document['lifemask'])}, {_safe(document['machine'])}, "
        f"{document['seconds']:.0f} s for {len(document['inputs'])} inputs.</p>",
        *(f"<p class='missed'>Not computed: {_safe(name)}. {_safe(why)}</p>"
          for name, why in sorted(document["not_computed"].items())),
        "<h2>Targets</h2>", _targets(document["targets"]),
        "<h2>Held-out frames at a glance</h2>", _glance(used),
        _refused(document["inputs"]), _people(document["people"]),
        _closure(used), *(_synthetic(one) for one in document["synthetic"]),
    ]  # fmt: skip
    for one in used:
        parts.append(f"<h2>{_safe(one['name'])}</h2>")
        parts += _clip(one, folder) if one["kind"] == "video" else _photo(one, folder)
    return "\n".join(part for part in parts if part)


def _safe(text: object) -> str:
    return html.escape(str(text), quote=True)


def table(titles: Sequence[str], rows: Sequence[Sequence[object]], kind: str = "") -> str:
    """Return a table; cells that begin with `<td` are taken as they are, others are escaped."""
    head = "".join(f"<th>{_safe(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return f"<div class='wide'><table class='{kind}'><tr>{head}</tr>{body}</table></div>"


def _cell(value: object) -> str:
    text = str(value)
    return text if text.startswith("<td") else f"<td>{_safe(text)}</td>"


def _number(value: object, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}" if isinstance(value, int | float) else "–"


def _between(limits: Sequence[float | None], unit: str) -> str:
    low, high = limits
    if high is None:
        return "–" if low is None else f"≥ {low:g} {unit}".rstrip()
    return f"≤ {high:g} {unit}".rstrip() if not low else f"{low:g} to {high:g}"


def _targets(rows: Sequence[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        found = ", ".join(f"{place} {number:.2f}" for place, number in row["found"])
        verdict = row["verdict"]
        lines.append(
            [
                row["name"],
                f"<td class='{verdict}'>{row['value']:.2f} {_safe(row['unit'])}</td>",
                _between(row["must"], row["unit"]),
                _between(row["aim"], row["unit"]),
                f"<td class='{verdict}'>{verdict}</td>",
                found,
            ]
        )
    note = "<p class='note'>The number is that of the input that keeps the least.</p>"
    return table(["what", "value", "must", "aim", "kept", "where"], lines, "text") + note


def _glance(used: Sequence[dict[str, Any]]) -> str:
    """Return one line for each clip, split and row that is not a variant."""
    lines = []
    for one in used:
        for name, split in one.get("splits", {}).items():
            for row in split["rows"]:
                if not row["exposure_gain"]:
                    lines.append([one["name"], name, _title(row), *_numbers(row)])
    if not lines:
        return "<p>No clip was evaluated.</p>"
    return table(["clip", "split", "row", *(title for _, title, _ in COLUMNS)], lines)


def _title(row: dict[str, Any]) -> str:
    words = [row["method"], row["mode"] or "", "gain" if row["exposure_gain"] else ""]
    return ", ".join(word for word in words if word)


def _numbers(row: dict[str, Any]) -> Iterator[str]:
    for key, _, decimals in COLUMNS:
        yield _number(row.get(key), decimals)


def _refused(inputs: Sequence[dict[str, Any]]) -> str:
    rows = [
        [one["name"], one["reason"], one["hint"]] for one in inputs if one["status"] != "evaluated"
    ]
    if not rows:
        return ""
    return "<h2>Not evaluated</h2>" + table(["input", "why", "what to do"], rows, "text")


def _people(people: dict[str, Any] | None) -> str:
    if people is None:
        return ""
    lines = [
        [
            row["name"], f"{row['right']} of {row['renders']}", _number(row["distance"]),
            _number(row["nearest_other"]), ", ".join(row["taken_for"]) or "–",
        ]
        for row in people["rows"]
    ]  # fmt: skip
    titles = ["person", "recognised", "distance", "nearest other person", "taken for"]
    return (
        f"<h2>Identity</h2><p>Renders at ±30° under two new lights: "
        f"{people['rank_one_percent']:.1f} % lie nearest to their own person among "
        f"{people['people']} ({_safe(people['network'])}; below {people['same_person']} counts "
        "as the same person). A clip's references are held-out frames; a photo's is the photo "
        "that its avatar was built from.</p>" + table(titles, lines)
    )


def _closure(used: Sequence[dict[str, Any]]) -> str:
    lines = [
        [
            one["name"], mode, name, score["marked"], f"{100 * score['recalled']:.0f} %",
            score["reported"], f"{100 * score['false']:.0f} %",
        ]
        for one in used if one.get("closure")
        for mode, scores in one["closure"].items()
        for name, score in scores.items()
    ]  # fmt: skip
    if not lines:
        return ""
    titles = ["clip", "mode", "measure", "marked", "found", "reported", "of them open"]
    return "<h2>Blinks and lip closure, marked by hand</h2>" + table(titles, lines)


def _synthetic(found: dict[str, Any]) -> str:
    rows = [
        [one["what"], f"{one['value']:.3g}", one["must"], one["aim"], one["verdict"]]
        for one in found.get("targets", [])
    ]
    return (
        f"<h2>Synthetic people, head {_safe(found['head'])}</h2>"
        + table(["what", "value", "must", "aim", "kept"], rows, "text")
        + "<details><summary>everything that was measured</summary><pre class='wide'>"
        + f"{_safe(tables(found))}</pre></details>"
    )


def _fit(one: dict[str, Any]) -> str:
    fit = one["fit"]
    kept = "" if fit["passed"] else " class='missed'"
    regions = {name: error["median"] for name, error in fit["regions"].items()}
    return (
        f"<p{kept}>Landmark error of the fit, in sample: median {fit['error']['median']:.2f} %, "
        f"90 % of frames ≤ {fit['error']['percentile_90']:.2f} %.</p>" + bars(regions, "%")
    )


def _clip(one: dict[str, Any], folder: Path) -> Iterator[str]:
    yield (
        f"<p>{one['frames']} frames at {one['rate_hz']:g} Hz, {one['lost']} without a face. "
        f"Masks version {one['mask']['version']}, SHA-256 <code>{one['mask']['sha256']}</code>."
        "</p>"
    )
    yield _fit(one)
    for name, split in one["splits"].items():
        yield from _split(one, name, split, folder)
    if "game" in one:
        yield _game(one["game"])
    for section, title in _SECTIONS:
        yield _figures(one, section, title, folder)


def _split(one: dict[str, Any], name: str, split: dict[str, Any], folder: Path) -> Iterator[str]:
    words = {"blocks": "Blocks", "last": "Last 20 %"}[name]
    cover = split["coverage"]
    yield f"<h3>{words}: {split['train']} training, {split['test']} test frames</h3>"
    yield timeline(one["frames"], split["train_frames"], split["test_frames"],
                   split["psnr_by_frame"])  # fmt: skip
    yield (
        f"<p>Distance of a test expression to the nearest training expression: median "
        f"{cover['median']:.2f}, largest {cover['largest']:.2f}; consecutive frames are "
        f"{cover['step']:.2f} apart. Landmarks on test frames, tracked with the avatar's head: "
        f"{split['held_out_landmarks_percent']:.2f} %.</p>"
    )
    lines = [[_title(row), *_numbers(row), row["undetected"]] for row in split["rows"]]
    yield table(["row", *(title for _, title, _ in COLUMNS), "no face"], lines)
    yield _temporal(split["temporal"], split["agreement"])
    yield _figures(one, name, "", folder)


def _temporal(temporal: dict[str, Any], agreement: dict[str, Any]) -> str:
    lines = [
        [
            mode, _number(temporal[mode].get("forehead_mm"), 3),
            _number(temporal[mode].get("forehead_across_mm"), 3),
            _number(temporal[mode]["weight_jerk"], 4), agreement[mode]["compared"],
            _number(agreement[mode]["median_r"]), _number(agreement[mode]["median_lag"], 1),
        ]
        for mode in ("tracked", "driven")
    ]  # fmt: skip
    titles = ["mode", "forehead mm", "across mm", "weight jerk", "channels", "median r", "lag"]
    unrest = temporal["texture_unrest"]
    still = f"{temporal['still_frames']} still frames"
    if unrest is not None:
        still += f"; unwrapped texture changes by {unrest:.2f} of 255 from frame to frame there"
    return table(titles, lines) + f"<p class='note'>{still}.</p>"


def _game(game: dict[str, Any]) -> str:
    return (
        f"<p>Three lights, −40°, 0° and 40°: a face was found in "
        f"{game['views'] - game['undetected']} of {game['views']} views; detected landmarks lie "
        f"{_number(game.get('all_percent'))} % from those of the head (lips "
        f"{_number(game.get('lips_percent'))} %, lids {_number(game.get('lids_percent'))} %).</p>"
    )


def _photo(one: dict[str, Any], folder: Path) -> Iterator[str]:
    yield _fit(one)
    yield "<p>In sample: the avatar against the photo that it was built from.</p>"
    yield table([title for _, title, _ in COLUMNS], [list(_numbers(one["in_sample"]))])
    yield _game(one["game"])
    for section, title in _SECTIONS:
        yield _figures(one, section, title, folder)


def _figures(one: dict[str, Any], section: str, title: str, folder: Path) -> str:
    found = [picture for picture in one["pictures"] if picture["section"] == section]
    if not found:
        return ""
    shown = [
        f"<figure><img alt='{_safe(picture['caption'])}' "
        f"src='{embedded_picture(folder / picture['path'])}' loading='lazy'>"
        f"<figcaption>{_safe(picture['caption'])}</figcaption></figure>"
        for picture in found
    ]
    return (f"<h3>{title}</h3>" if title else "") + "".join(shown)
