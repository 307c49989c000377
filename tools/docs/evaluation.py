r"""Keep the numbers of an evaluation, and print them as the tables of docs/evaluation.md.

    lifemask evaluate ../shared/data/clips/*.mp4 ../shared/data/portraits/*.jpg -o out/evaluation \
        --marks benchmarks/marks
    python tools/docs/evaluation.py out/evaluation/report.json
    python tools/docs/generate.py

The second line writes `docs/evaluation_results.json`: the numbers of the report without curves and
pictures, and the machine. The third puts the tables into the document.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

RESULTS = ROOT / "docs" / "evaluation_results.json"

_ROW = (
    ("psnr", "PSNR", 1), ("psnr_mouth", "mouth", 1), ("psnr_eyes", "eyes", 1),
    ("ssim", "SSIM", 3), ("lpips", "LPIPS", 3), ("sharpness", "sharp", 2),
    ("landmarks_all", "landmarks %", 2), ("landmarks_lips", "lips %", 2),
    ("landmarks_lids", "lids %", 2), ("identity", "identity", 2),
)  # fmt: skip
_KEPT = ("name", "status", "reason", "kind", "frames", "lost", "fit", "in_sample", "game", "mask",
         "closure", "seconds")  # fmt: skip
_KEPT_OF_SPLIT = ("train", "test", "coverage", "held_out_landmarks_percent", "rows", "temporal")


def main() -> int:
    """Parse the command line and keep the numbers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("report", type=Path, help="report.json of `lifemask evaluate`")
    parser.add_argument(
        "--synthetic", type=Path, action="append", default=[],
        help="synthetic.json of a newer run than the report holds",
    )  # fmt: skip
    given = parser.parse_args()
    report = json.loads(given.report.read_text(encoding="utf-8"))
    if given.synthetic:
        report["synthetic"] = [json.loads(p.read_text(encoding="utf-8")) for p in given.synthetic]
    kept = trimmed(report)
    text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
    RESULTS.write_text(text, encoding="utf-8", newline="\n")
    print(f"wrote {RESULTS.relative_to(ROOT)}; now run: python tools/docs/generate.py")
    return 0


def trimmed(report: dict[str, Any]) -> dict[str, Any]:
    """Return what the document needs of `report.json`, with the machine it was measured on."""
    from benchmarks._report import machine

    inputs = []
    for one in report["inputs"]:
        kept = {key: one[key] for key in _KEPT if key in one}
        kept["splits"] = {
            name: {key: split[key] for key in _KEPT_OF_SPLIT if key in split}
            for name, split in one.get("splits", {}).items()
        }
        inputs.append(kept)
    names = ("format", "version", "lifemask", "not_computed", "people", "seconds", "targets")
    kept = {name: report[name] for name in names}
    kept["synthetic"] = [
        {"head": one["head"], "targets": one["targets"]} for one in report["synthetic"]
    ]
    return {**kept, "machine": machine(), "inputs": inputs}


def part(which: str) -> str:
    """Return one generated part of the document, see `PARTS`."""
    if not RESULTS.is_file():
        return "No results are kept yet."
    return "\n".join(PARTS[which](json.loads(RESULTS.read_text(encoding="utf-8"))))


def _table(titles: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(titles) + " |"
    yield "|" + " --- |" * len(titles)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def machine_line(results: dict[str, Any]) -> Iterator[str]:
    """Return where and when it was measured."""
    count = len(results["inputs"])
    yield f"{results['machine']}; {count} inputs in {results['seconds'] / 60:.0f} minutes."
    for name, why in sorted(results["not_computed"].items()):
        yield f"Not computed: {name}. {why}."


def targets(results: dict[str, Any]) -> Iterator[str]:
    """Return the judged rows of the target table."""

    def rows() -> Iterator[Sequence[str]]:
        for one in results["targets"]:
            value = f"{one['value']:.2f} {one['unit']}".strip()
            verdict = f"**{one['verdict']}**" if one["verdict"] == "missed" else one["verdict"]
            worst = ", ".join(f"{place} {number:.2f}" for place, number in one["found"])
            yield one["name"], value, _limits(one["must"]), _limits(one["aim"]), verdict, worst

    yield from _table(["what", "value", "must", "aim", "kept", "where"], rows())


def _limits(pair: Sequence[float | None]) -> str:
    low, high = pair
    if high is None:
        return "–" if low is None else f"≥ {low:g}"
    return f"{low:g} to {high:g}" if low else f"≤ {high:g}"


def clips(results: dict[str, Any]) -> Iterator[str]:
    """Return the rows of all clips, without those that follow the exposure."""

    def rows() -> Iterator[Sequence[str]]:
        for one in results["inputs"]:
            for name, split in one["splits"].items():
                for row in split["rows"]:
                    if not row["exposure_gain"]:
                        title = ", ".join(w for w in (row["method"], row["mode"]) if w)
                        yield one["name"], name, title, *_numbers(row)

    yield from _table(["clip", "split", "row", *(title for _, title, _ in _ROW)], rows())
    for one in results["inputs"]:
        if one["status"] != "evaluated":
            yield f"\n{one['name']}: not evaluated, {one['reason']}."


def _numbers(row: dict[str, Any]) -> Iterator[str]:
    for key, _, decimals in _ROW:
        yield f"{row[key]:.{decimals}f}" if key in row else ""


def tracking(results: dict[str, Any]) -> Iterator[str]:
    """Return fit, coverage and calm of the clips."""

    def rows() -> Iterator[Sequence[str]]:
        for one in results["inputs"]:
            for name, split in one["splits"].items():
                calm, cover = split["temporal"], split["coverage"]
                yield (
                    one["name"], name, f"{one['fit']['error']['median']:.2f}",
                    f"{split['held_out_landmarks_percent']:.2f}",
                    f"{cover['median']:.2f} / {cover['largest']:.2f}",
                    *(_or_nothing(calm[mode].get("forehead_across_mm"))
                      for mode in ("tracked", "driven")),
                    *(f"{calm[mode]['weight_jerk']:.4f}" for mode in ("tracked", "driven")),
                    _or_nothing(calm["texture_unrest"]),
                )  # fmt: skip

    titles = ["clip", "split", "fit %", "held out %", "coverage median / largest"]
    titles += ["forehead mm, tracked", "driven", "jerk, tracked", "driven", "texture unrest"]
    yield from _table(titles, rows())


def _or_nothing(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def photos(results: dict[str, Any]) -> Iterator[str]:
    """Return the photos against themselves, in sample, and in other lights."""

    def rows() -> Iterator[Sequence[str]]:
        for one in results["inputs"]:
            if one.get("kind") == "photo":
                game = (
                    f"{one['game']['views'] - one['game']['undetected']} of {one['game']['views']}"
                )
                fit = f"{one['fit']['error']['median']:.2f}"
                yield one["name"], fit, *_numbers(one["in_sample"]), game

    yield from _table(["photo", "fit %", *(title for _, title, _ in _ROW), "views with a face"],
                      rows())  # fmt: skip


def people(results: dict[str, Any]) -> Iterator[str]:
    """Return who was recognised."""
    found = results["people"]
    if not found:
        yield "Identity was not computed."
        return

    def rows() -> Iterator[Sequence[str]]:
        for one in found["rows"]:
            yield (
                one["name"], f"{one['right']} of {one['renders']}",
                _or_nothing(one["distance"]), _or_nothing(one["nearest_other"]),
                ", ".join(one["taken_for"]),
            )  # fmt: skip

    percent, renders = found["rank_one_percent"], found["renders"]
    yield f"{percent:.1f} % of {renders} renders, {found['people']} people."
    yield ""
    yield from _table(["person", "recognised", "distance", "nearest other", "taken for"], rows())


def closure(results: dict[str, Any]) -> Iterator[str]:
    """Return how marked blinks and closed lips were found."""

    def rows() -> Iterator[Sequence[str]]:
        for one in results["inputs"]:
            for mode, scores in one.get("closure", {}).items():
                for name, score in scores.items():
                    found, false = 100 * score["recalled"], 100 * score["false"]
                    yield (
                        one["name"], mode, name, str(score["marked"]), f"{found:.0f} %",
                        str(score["reported"]), f"{false:.0f} %",
                    )  # fmt: skip

    titles = ["clip", "mode", "measure", "marked", "found", "reported", "of them open"]
    yield from _table(titles, rows())


def synthetic(results: dict[str, Any]) -> Iterator[str]:
    """Return the judged rows of synthetic people."""

    def rows() -> Iterator[Sequence[str]]:
        for one in results["synthetic"]:
            for row in one["targets"]:
                value = f"{row['value']:.3g}"
                yield one["head"], row["what"], value, row["must"], row["aim"], row["verdict"]

    if not results["synthetic"]:
        yield "Not part of this run; see tools/synthetic."
        return
    yield from _table(["head", "what", "value", "must", "aim", "kept"], rows())


PARTS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "clips": clips,
    "closure": closure,
    "machine": machine_line,
    "people": people,
    "photos": photos,
    "synthetic": synthetic,
    "targets": targets,
    "tracking": tracking,
}
"""Generated parts by their argument in `<!-- generated: evaluation NAME -->`."""

if __name__ == "__main__":
    sys.exit(main())
