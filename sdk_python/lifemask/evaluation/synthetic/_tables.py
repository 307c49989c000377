"""The measurements as tables for people: targets first, then what lies behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADS: Final = {"own": "the shipped head with off-model offsets", "ict": "ICT-FaceKit"}
_ROWS: Final = {
    "rigid": "rigid, size as built (pupil distance assumed 63 mm)",
    "pupil_distance_known": "rigid, true pupil distance",
    "similarity": "similarity",
}
_SHOWN: Final = ("face", "eyes", "mouth", "sides", "ears")
_VIDEO: Final = {"face": (2.2, 1.516), "eyes": (1.6, 1.164), "mouth": (4.1, 2.75)}
"""Must and aim of the target table, vertex RMSE in mm."""


def targets(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the target table that concern synthetic heads.

    Args:
        document: Of `evaluate_synthetic`.

    Returns:
        `what`, `value`, `must`, `aim`, and `verdict`: `"aim"`, `"must"` or `"missed"`.
    """
    clips, photos = document["clips"]["detected"], document["photos"]
    moving, coefficients = clips["moving"]["rigid"], clips["coefficients"]
    rows = [
        _at_most(f"clips, vertex RMSE of the {name}, mm", moving[name]["rmse"], *limits)
        for name, limits in _VIDEO.items()
    ]
    if "detected" in photos:
        median = photos["detected"]["rigid"]["face"]["median"]
        rows.append(_at_most("one photo, median on the face after rigid alignment, mm", median,
                             1.8, 0.9))  # fmt: skip
    worse = len(coefficients["not_better_than_neutral"])
    rows.append(_at_most("coefficients no better than always-neutral, channels", worse, 0, 0))
    followed = coefficients["followed"]
    rows.append(_at_least("coefficients with r of at least 0.9, channels", followed, 30, 45))
    rows.append(_at_most("coefficients, mean absolute error", coefficients["mae"], 0.05, 0.025))
    temporal = document["temporal"]
    jitter = temporal["forehead_jitter_mm"]
    for name, words in (("all", ""), ("across", " across the line of sight")):
        what = f"still head, forehead motion{words}, mm RMS"
        rows.append(_at_most(what, jitter[name], 0.1, 0.1))
    lag = max(abs(value) for value in temporal["lag_frames"].values())
    rows.append(_at_most("swinging head, largest lag, frames", lag, 1.0, 1.0))
    return rows


def tables(document: dict[str, Any]) -> str:
    """Return everything that was measured as Markdown.

    Args:
        document: Of `evaluate_synthetic`.
    """
    return "\n".join(_lines(document)) + "\n"


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"## Synthetic heads: {_HEADS[document['head']]}"
    yield ""
    yield "| target | measured | must | aim | |"
    yield "| --- | --- | --- | --- | --- |"
    for row in document["targets"]:
        value = f"{row['value']:.3g}"
        yield f"| {row['what']} | {value} | {row['must']} | {row['aim']} | {row['verdict']} |"
    yield ""
    yield from _photo_lines(document["photos"])
    yield from _clip_lines(document["clips"], document.get("registration_floor_mm"))
    yield from _coefficient_lines(document["clips"])
    yield from _detector_lines(document["detector"])
    yield from _turn_lines(document["clips"])
    yield f"Seconds: {', '.join(f'{k} {v}' for k, v in document['seconds'].items())}."


def _photo_lines(photos: dict[str, Any]) -> Iterator[str]:
    yield f"### Single photos: {photos['pictures']}, {photos['without_face']} without a face"
    yield ""
    for source in ("detected", "projected", "mean_head"):
        if source in photos:
            yield from _vertex_table(source.replace("_", " "), photos[source])
    leak = photos["leak_smile_mm"]
    if leak is not None:
        yield f"Smile against rest, the same person: {leak:.2f} mm RMS between the neutral heads."
        yield ""


def _clip_lines(clips: dict[str, Any], floor: dict[str, float] | None) -> Iterator[str]:
    counts = [f"{found} of {all_}" for found, all_ in zip(clips["found"], clips["frames"],
                                                          strict=True)]  # fmt: skip
    yield f"### Clip A and Clip B: faces in {counts[0]} and {counts[1]} frames"
    yield ""
    for source in ("detected", "projected"):
        one = clips[source]
        yield from _vertex_table(f"{source}, neutral head", one["neutral"])
        yield from _vertex_table(f"{source}, Clip B in motion", one["moving"])
        pose = one["pose"]
        yield (
            f"{source}: pose {pose['degrees']:.2f}°, {pose['lateral']:.1f} mm across, "
            f"depth {100 * pose['depth']:.1f} %; focal length "
            f"{one['focal_error_percent']:+.1f} %; gaze {one['gaze_degrees']:.1f}°."
        )
        yield ""
    if floor:
        values = ", ".join(f"{name} {value:.2f}" for name, value in floor.items())
        yield f"Floor of the registration between the topologies, mm: {values}."
        yield ""
    albedo = clips.get("albedo")
    if albedo and "seen_psnr_db" in albedo:
        yield (
            f"Albedo of seen skin, after one gain a channel: {albedo['seen_psnr_db']:.1f} dB "
            f"({100 * albedo['seen_share']:.0f} % of the skin)."
        )
        yield ""


def _vertex_table(title: str, rows: dict[str, Any]) -> Iterator[str]:
    yield f"| {title}: RMSE / median / 90 %, mm | {' | '.join(_SHOWN)} |"
    yield "| --- |" + " --- |" * len(_SHOWN)
    for key, name in _ROWS.items():
        cells = [
            f"{one['rmse']:.2f} / {one['median']:.2f} / {one['percentile_90']:.2f}"
            if (one := rows[key].get(region))
            else "–"
            for region in _SHOWN
        ]
        yield f"| {name} | {' | '.join(cells)} |"
    if "scale_error_percent" in rows:
        yield f"| scale error, % | {rows['scale_error_percent']:.2f} |" + " |" * (len(_SHOWN) - 1)
    yield ""


def _coefficient_lines(clips: dict[str, Any]) -> Iterator[str]:
    yield "### Coefficients on Clip B"
    yield ""
    yield (
        "| source | MAE | always neutral | r ≥ 0.9 | no better than neutral | "
        "gaze (constant offset removed) |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for source, title in (
        ("detected", "detector, built head"),
        ("detected_true_head", "detector, true head and camera"),
        ("projected", "projected landmarks, built head"),
    ):
        one = clips[source]["coefficients"]
        yield (
            f"| {title} | {one['mae']:.3f} | {one['always_neutral_mae']:.3f} | {one['followed']} "
            f"of {one['observable']} | {len(one['not_better_than_neutral'])} | "
            f"{clips[source]['gaze_degrees']:.1f}° "
            f"({clips[source]['gaze_without_offset_degrees']:.1f}°) |"
        )
    yield ""
    yield "| channel | MAE | neutral | r | gain | r, true head | r, projected |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    others = [clips[one]["coefficients"]["channels"] for one in ("detected_true_head", "projected")]
    for name, one in clips["detected"]["coefficients"]["channels"].items():
        beside = " | ".join(f"{other[name]['correlation']:.2f}" for other in others)
        yield (
            f"| {name} | {one['error']:.3f} | {one['neutral']:.3f} | {one['correlation']:.2f} | "
            f"{one['gain']:.2f} | {beside} |"
        )
    yield ""


def _detector_lines(detector: dict[str, Any]) -> Iterator[str]:
    share = 100 * detector["found"] / max(detector["pictures"], 1)
    yield f"### The detector on these pictures: {share:.1f} % found of {detector['pictures']}"
    yield ""
    yield "Landmarks against the truth, % of the eye distance: mean error (bias right, down)."
    yield ""
    groups = list(next(iter(detector["by_yaw"].values())))
    yield f"| yaw, degrees | {' | '.join(groups)} |"
    yield "| --- |" + " --- |" * len(groups)
    for yaw, row in detector["by_yaw"].items():
        cells = [
            f"{one['error']:.1f} ({one['bias'][0]:+.1f}, {one['bias'][1]:+.1f})"
            for one in (row[group] for group in groups)
        ]
        yield f"| {yaw} | {' | '.join(cells)} |"
    yield ""


def _turn_lines(clips: dict[str, Any]) -> Iterator[str]:
    yield "### The avatar at the poses of Clip A's turn"
    yield ""
    yield "| yaw | " + " | ".join(clips["turn"]["views"]) + " |"
    yield "| --- |" + " --- |" * len(clips["turn"]["views"])
    for name, unit in (("psnr_db", "PSNR, dB"), ("ssim", "SSIM")):
        cells = [f"{view[name]:.{1 if name == 'psnr_db' else 3}f}"
                 for view in clips["turn"]["views"].values()]  # fmt: skip
        yield f"| {unit} | {' | '.join(cells)} |"
    yield ""


def _at_most(what: str, value: float, must: float, aim: float) -> dict[str, Any]:
    verdict = "aim" if value <= aim else "must" if value <= must else "missed"
    return _row(what, value, f"≤ {must}", f"≤ {aim}", verdict)


def _at_least(what: str, value: float, must: float, aim: float) -> dict[str, Any]:
    verdict = "aim" if value >= aim else "must" if value >= must else "missed"
    return _row(what, value, f"≥ {must}", f"≥ {aim}", verdict)


def _row(what: str, value: float, must: str, aim: str, verdict: str) -> dict[str, Any]:
    return {"what": what, "value": float(value), "must": must, "aim": aim, "verdict": verdict}
