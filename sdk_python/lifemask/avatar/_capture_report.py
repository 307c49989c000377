"""The capture report: what was seen in each clip, which frames were chosen, and why not others."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lifemask._errors import ExportError
from lifemask._files import write_bytes
from lifemask.avatar._capture_judge import REASONS
from lifemask.avatar._capture_summary import frame_table, summarise
from lifemask.avatar._evidence import Photo, Recording, read_frames
from lifemask.geometry import resize_image, write_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import ImageDraw

    from lifemask.avatar._evidence import Source

SHEET_NAME: Final = "capture.png"
JSON_NAME: Final = "capture.json"
HTML_NAME: Final = "capture.html"
_TILE: Final = 150
_CAPTION: Final = 30
_COLUMNS: Final = 8
_EXAMPLES: Final = 2
_COLOURS: Final = {
    "texture": (60, 170, 80),
    "shape": (70, 120, 200),
    "photo": (60, 170, 80),
    "left out": (200, 70, 60),
}
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:1100px;padding:0 1rem;
color:#222;background:#fff}table{border-collapse:collapse;margin:.6rem 0}
td,th{padding:.15rem .7rem .15rem 0;text-align:left;vertical-align:top}
img{max-width:100%}svg{width:100%;height:auto;background:#f6f6f6}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}svg{background:#222}}
"""


def write_capture_report(folder: str | Path | None, sources: Sequence[Source]) -> Path | None:
    """Write `capture.json`, `capture.png` and `capture.html` into a folder.

    Args:
        folder: Made where it does not exist; None to write nothing.
        sources: Inputs with their judged and chosen frames.

    Returns:
        The page.

    Raises:
        ExportError: The folder cannot be made or written to.
    """
    if folder is None:
        return None
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ExportError(
            f"the folder {place.name!r} for the report cannot be made: {error.strerror or error}",
            hint="Name another folder with --report.",
        ) from error
    document = capture_document(sources)
    write_bytes(place / JSON_NAME, json.dumps(document, indent=1).encode())
    write_image(place / SHEET_NAME, contact_sheet(sources))
    write_bytes(place / HTML_NAME, _page(document).encode())
    return place / HTML_NAME


def capture_document(sources: Sequence[Source]) -> dict[str, Any]:
    """Return the content of `capture.json`."""
    clips, photos = [], []
    for source in sources:
        if isinstance(source.content, Recording):
            summary = summarise(source.path.name, source.content)
            clips.append(summary | {"table": frame_table(source.content)})
        else:
            height, width = source.content.image.shape[:2]
            size = round(source.content.face.size)
            photos.append(
                {"name": source.path.name, "width": width, "height": height, "face_px": size}
            )
    return {"clips": clips, "photos": photos}


def contact_sheet(sources: Sequence[Source]) -> NDArray[np.uint8]:
    """Draw the chosen frames, and examples of those left out, with their numbers and reasons.

    Args:
        sources: Inputs with their judged and chosen frames.

    Returns:
        `(h, w, 3)` uint8 sRGB.
    """
    tiles: list[tuple[NDArray[np.uint8], str, str]] = []
    for source in sources:
        if isinstance(source.content, Photo):
            tiles.append((_thumbnail(source.content.image), source.path.name, "photo"))
        else:
            tiles += _clip_tiles(source.path, source.content)
    return _laid_out(tiles)


def _clip_tiles(path: Path, recording: Recording) -> list[tuple[NDArray[np.uint8], str, str]]:
    clip, verdict, choice = recording.clip, recording.verdict, recording.choice
    marked = {i: "shape" for i in choice.shape} | {i: "texture" for i in choice.texture}
    places = sorted(marked)
    for number in range(len(REASONS)):
        left_out = np.flatnonzero(verdict.reasons == number)
        picked = np.linspace(0, len(left_out) - 1, min(_EXAMPLES, len(left_out))).astype(int)
        extra = [int(left_out[i]) for i in picked if int(left_out[i]) not in marked]
        marked |= {i: "left out" for i in extra}
        places += extra
    images = _thumbnails(path, [int(clip.numbers[i]) for i in places])
    tiles = []
    for place, image in zip(places, images, strict=True):
        kind = marked[place]
        what = REASONS[verdict.reasons[place]] if kind == "left out" else kind
        turn = f"{np.rad2deg(clip.yaw[place]):+.0f}°" if clip.seen[place] else ""
        tiles.append((image, f"{clip.numbers[place]} {turn}\n{what}", kind))
    return tiles


def _thumbnails(path: Path, numbers: Sequence[int]) -> list[NDArray[np.uint8]]:
    """Read frames in small; never holds more than one large frame."""
    small = {}
    for number in sorted(set(numbers)):
        small[number] = np.zeros((1, 1, 3), np.uint8)
    for number, image in zip(sorted(small), read_frames(path, sorted(small)), strict=True):
        small[number] = _thumbnail(image)
    return [small[number] for number in numbers]


def _thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    scale = _TILE / max(height, width)
    return resize_image(image, max(1, round(scale * width)), max(1, round(scale * height)))


def _laid_out(tiles: Sequence[tuple[NDArray[np.uint8], str, str]]) -> NDArray[np.uint8]:
    from PIL import Image, ImageDraw

    step_x, step_y = _TILE + 10, _TILE + _CAPTION + 10
    rows = -(-max(len(tiles), 1) // _COLUMNS)
    columns = min(_COLUMNS, max(len(tiles), 1))
    sheet = Image.new("RGB", (10 + columns * step_x, 10 + rows * step_y), (245, 245, 245))
    draw: ImageDraw.ImageDraw = ImageDraw.Draw(sheet)
    for index, (image, caption, kind) in enumerate(tiles):
        x, y = 10 + index % _COLUMNS * step_x, 10 + index // _COLUMNS * step_y
        box = (x - 3, y - 3, x + image.shape[1] + 2, y + image.shape[0] + 2)
        draw.rectangle(box, fill=_COLOURS[kind])
        sheet.paste(Image.fromarray(image), (x, y))
        draw.multiline_text((x, y + image.shape[0] + 4), caption, fill=(40, 40, 40), spacing=1)
    return np.asarray(sheet, np.uint8)


def _page(document: dict[str, Any]) -> str:
    parts = [_clip_section(clip) for clip in document["clips"]]
    parts += [
        f"<h2>{html.escape(photo['name'])}</h2><p>Photo, {photo['width']} × {photo['height']} "
        f"pixels, face {photo['face_px']} pixels.</p>"
        for photo in document["photos"]
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>Capture report</title><style>{_STYLE}</style><h1>Capture report</h1>"
        "<p>Green: the skin is taken from it. Blue: tells the shape. Red: left out. "
        f"Every frame's scores are in <a href={JSON_NAME}>{JSON_NAME}</a>.</p>"
        f"<img src={SHEET_NAME} alt='Chosen frames and examples of those left out'>"
        + "".join(parts)
        + "</html>\n"
    )


def _clip_section(clip: dict[str, Any]) -> str:
    skipped = ", ".join(f"{n} {why}" for why, n in clip["skipped"].items()) or "none"
    rate = "variable" if clip["variable_rate"] else f"{clip['rate_hz']:g} Hz"
    rows = {
        "Frames": f"{clip['frames']} in {clip['seconds']:.1f} s, {rate}, "
        f"{clip['width']} × {clip['height']} pixels"
        + (", the file ends early" if clip["truncated"] else ""),
        "Usable": f"{clip['frames_usable']} of {clip['frames']}; left out: {skipped}",
        "Yaw": _span(clip["yaw_deg"], "°") + "; frames by 10°: " + _bins(clip["yaw_bins_deg"]),
        "Pitch": _span(clip["pitch_deg"], "°"),
        "Blinks": str(clip["blinks"]),
        "Mouth open": _span(clip["mouth_open"], " of the distance of the outer eye corners"),
        "Exposure drift": f"{clip['exposure_drift_stops']:.2f} stops",
        "Other people": f"in {clip['frames_with_others']} of "
        f"{clip['frames_searched_for_others']} frames searched",
        "Chosen": f"{len(clip['shape_frames'])} for the shape, "
        f"{len(clip['texture_frames'])} for the skin",
    }
    table = "".join(f"<tr><th>{k}<td>{html.escape(v)}" for k, v in rows.items())
    return f"<h2>{html.escape(clip['name'])}</h2><table>{table}</table>{_timeline(clip)}"


def _span(values: Sequence[float], unit: str) -> str:
    return f"{values[0]:.3g} to {values[1]:.3g}{unit}"


def _bins(bins: dict[str, int]) -> str:
    return ", ".join(f"{middle}°: {count}" for middle, count in bins.items())


def _timeline(clip: dict[str, Any]) -> str:
    """Draw yaw and sharpness over time; frames left out stand as red bars behind them."""
    table = clip["table"]
    count = max(len(table), 2)
    bars, yaw, sharp, dots = [], [], [], []
    for i, row in enumerate(table):
        x = 1000.0 * i / (count - 1)
        if row["left_out"]:
            width = 1000.0 / count
            bars.append(f"<rect x={x:.1f} y=0 width={width:.2f} height=120 fill='#c8463c55'/>")
        if row["yaw_deg"] is not None:
            y = 60.0 - row["yaw_deg"]
            yaw.append(f"{x:.1f},{min(max(y, 0), 120):.1f}")
            if row["texture"] or row["shape"]:
                colour = "#3caa50" if row["texture"] else "#4678c8"
                dots.append(f"<circle cx={x:.1f} cy={y:.1f} r=4 fill='{colour}'/>")
        if row["sharpness"] is not None:
            sharp.append(f"{x:.1f},{120 - 60 * min(row['sharpness'], 2):.1f}")
    return (
        "<svg viewBox='0 0 1000 120' role=img aria-label='yaw and sharpness over time'>"
        + "".join(bars)
        + f"<polyline points='{' '.join(sharp)}' fill=none stroke='#bbb'/>"
        + f"<polyline points='{' '.join(yaw)}' fill=none stroke='#666'/>"
        + "".join(dots)
        + "</svg><p>Dark line: yaw, ±60°. Light line: sharpness. Dots: chosen.</p>"
    )
