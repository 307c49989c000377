"""What the documents state as fact, read from the code and the data of lifemask."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

import lifemask
from lifemask.heads import (
    COEFFICIENT_NAMES,
    JOINT_NAMES,
    JOINT_PARENTS,
    PART_NAMES,
    load_head_model,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

from tools.docs import evaluation

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos" / "lifemask" / "v1"
HEAD_ASSET = Path(lifemask.__file__).parent / "data" / "head.npz"

MASKS = {
    "brows": "hair of the brows",
    "ears": "both ears",
    "enamel": "crowns of the teeth, as against the gums",
    "eyelids": "the lids around the eyes",
    "face": "from hairline to chin, ear to ear",
    "hair": "where a person with hair on the head has it",
    "lash_along": "position along a strip of lashes, from corner to corner",
    "lash_lower": "1 on the lower strips of lashes",
    "lash_tip": "position from the lid to the tips of the lashes",
    "lips": "the red of the lips",
    "mouth": "the cavity behind the lips",
    "neck": "below the jaw",
    "scalp": "the skull above face and neck",
    "sockets": "the pockets behind the lids",
    "tooth_gap": "the gaps between the crowns",
}
"""Regions that a mask is 1 on, and coordinates that it holds."""

COMMON = ("json", "quiet")
"""Options of many commands, described once."""


def table(titles: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def coefficients() -> str:
    """Return the names of the 52 coefficients in their order."""
    names = textwrap.fill(", ".join(f"`{name}`" for name in COEFFICIENT_NAMES), 98)
    return f"{len(COEFFICIENT_NAMES)} names, in this order:\n\n{names}"


def joints() -> str:
    """Return the joints of the mean head."""
    places = 1000.0 * load_head_model().mean_joints

    def rows() -> Iterator[Sequence[object]]:
        for name, parent, place in zip(JOINT_NAMES, JOINT_PARENTS, places, strict=True):
            above = f"`{JOINT_NAMES[parent]}`" if parent >= 0 else "none"
            yield f"`{name}`", above, ", ".join(f"{x + 0.0:.0f}" for x in place.round())

    return table(("joint", "parent", "rest position of the mean head, mm"), rows())


def parts() -> str:
    """Return the parts of the head and their sizes."""
    found = load_head_model().topology.parts

    def rows() -> Iterator[Sequence[object]]:
        for name in PART_NAMES:
            vertices, faces = found[name]
            count = faces.stop - faces.start
            yield f"`{name}`", f"{vertices.start} to {vertices.stop - 1}", f"{count:,}"

    return table(("part", "vertices", "triangles"), rows())


def examples() -> str:
    """Return the scripts in `examples/` with the first line of their docstrings."""

    def rows() -> Iterator[Sequence[object]]:
        for path in sorted((ROOT / "examples").glob("[!_]*.py")):
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            yield f"[`{path.name}`]({path.name})", text.partition("\n")[0].rstrip(".")

    return table(("script", "what it shows"), rows())


def islands() -> str:
    """Return where each part lies in the atlas."""
    topology = load_head_model().topology

    def rows() -> Iterator[Sequence[object]]:
        for name in PART_NAMES:
            corners = topology.uv[topology.faces_uv[topology.parts[name].faces]].reshape(-1, 2)
            low, high = corners.min(axis=0), corners.max(axis=0)
            spans = [f"{low[axis]:.3f} to {high[axis]:.3f}" for axis in (0, 1)]
            share = atlas_share(np.arange(len(topology.faces))[topology.parts[name].faces])
            yield f"`{name}`", *spans, f"{100 * share:.1f} %"

    return table(("part", "u", "v", "share of the atlas"), rows())


def atlas_share(faces: np.ndarray) -> float:
    """Return which share of the atlas some faces take, 0 to 1."""
    topology = load_head_model().topology
    a, b, c = topology.uv[topology.faces_uv[faces]].astype(np.float64).transpose(1, 0, 2)
    doubled = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return float(0.5 * np.abs(doubled).sum())


def masks() -> str:
    """Return the masks with what they are."""
    found = load_head_model().topology.masks

    def rows() -> Iterator[Sequence[object]]:
        for name in sorted(found):
            yield f"`{name}`", MASKS[name], f"{int((found[name] > 0.5).sum()):,}"

    return table(("mask", "region or coordinate", "vertices above 0.5"), rows())


def asset() -> str:
    """Return the numbers of the head asset."""
    model = load_head_model()
    topology, meta = model.topology, model.meta
    face = np.flatnonzero(topology.masks["face"][topology.faces].mean(axis=1) > 0.5)
    every = np.arange(len(topology.faces))
    largest = 1000.0 * np.linalg.norm(model.expression_deltas, axis=2).max(axis=1)
    fine = model.subdivision
    facts = {
        "asset": f"`{topology.asset_id}` {topology.asset_version}, {meta['licence']}",
        "file": f"{HEAD_ASSET.stat().st_size / 1e6:.1f} MB",
        "vertices, triangles": f"{len(model.neutral):,}, {len(topology.faces):,}",
        "subdivided once": f"{len(fine.refine(model.neutral)):,} vertices, "
        f"{2 * len(fine.quads):,} triangles",
        "adults drawn": f"{meta['samples']:,}",
        "identity modes": model.mode_count,
        "share of the variance they keep": f"{100 * float(meta['kept_variance']):.2f} %",
        "standard deviation of a local slider": f"{meta['local_sigma']} of [-1, 1]",
        "share of the atlas, face": f"{100 * atlas_share(face):.1f} %",
        "share of the atlas, all parts": f"{100 * atlas_share(every):.1f} %",
        "shape that moves least": _move(largest, int(largest.argmin())),
        "shape that moves most": _move(largest, int(largest.argmax())),
    }
    return table(("what", "value"), iter(facts.items()))


def _move(largest: np.ndarray, shape: int) -> str:
    return f"`{COEFFICIENT_NAMES[shape]}`, {largest[shape]:.1f} mm at most"


def arrays() -> str:
    """Return the arrays of `head.npz`."""

    def rows() -> Iterator[Sequence[object]]:
        with np.load(HEAD_ASSET) as archive:
            for name in archive.files:
                shape = " × ".join(str(n) for n in archive[name].shape)
                yield f"`{name}`", shape, archive[name].dtype

    return table(("array", "shape", "type"), rows())


def meshes() -> str:
    """Return the meshes of an exported glTF file."""
    from lifemask_exporters._surface import build_surface
    from lifemask_exporters.gltf import MESHES

    head = load_head_model().head()

    def rows() -> Iterator[Sequence[object]]:
        for name, (run, material) in MESHES.items():
            shapes = len(build_surface(head, run).targets)
            contents = ", ".join(f"`{part}`" for part in run)
            yield f"`{name}`", contents, f"`{material}`", shapes or "none"

    return table(("mesh", "parts", "material", "blend shapes"), rows())


def services() -> str:
    """Return the calls of the contract, with the first sentence of their comments."""

    def rows() -> Iterator[Sequence[object]]:
        for path in sorted(PROTOS.glob("*_service.proto")):
            text = path.read_text(encoding="utf-8")
            service = re.search(r"^service (\w+)", text, re.MULTILINE)
            assert service is not None
            for comment, name, asks, answers in re.findall(
                r"((?:  //[^\n]*\n)+)  rpc (\w+)\((stream )?\w+\) returns \((stream )?", text
            ):
                words = " ".join(re.findall(r"//\s*(.*)", comment))
                kind = "stream ↔ stream" if asks else "→ stream" if answers else "→ answer"
                yield f"`{service[1]}.{name}`", kind, words.partition(". ")[0].rstrip(".:")

    return table(("call", "kind", "what it does"), rows())


def command(name: str) -> str:
    """Return arguments and options of one command, from the signature of its function."""
    function = getattr(importlib.import_module(f"lifemask.cli._{name}"), name)
    hints = typing.get_type_hints(function, include_extras=True)

    def rows() -> Iterator[Sequence[object]]:
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in COMMON:
                continue
            kind, info = typing.get_args(hints[parameter.name])
            yield _words(parameter.name, kind, info), _default(parameter.default), info.help

    return table(("argument or option", "default", "meaning"), rows())


def summary(name: str) -> str:
    """Return the sentence that the help page says about one command."""
    from lifemask.cli import _app

    return _app.COMMANDS[name]


def _words(name: str, kind: Any, info: Any) -> str:
    if isinstance(info, typer.models.ArgumentInfo):
        return f"`{info.metavar or name.upper()}`"
    # In `Annotated`, Typer keeps the first name of an option where a default would stand.
    words = ", ".join(f"`{word}`" for word in (info.default, *info.param_decls))
    if kind is bool:
        return words
    plain = [part for part in typing.get_args(kind) or (kind,) if part is not type(None)]
    return f"{words} `{info.metavar or plain[0].__name__.upper()}`"


def _default(value: object) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    return "" if value in (None, False, True, "") else f"`{value}`"


def constants() -> str:
    """Return what a client has to know about a server."""
    from lifemask.streaming import _address, _avatar_service, _frame_stream, _hub

    facts = {
        "port of gRPC, unless another is given": _address.DEFAULT_PORT,
        "most unused credits of a stream": _hub.MAX_CREDITS,
        "largest piece of a download": f"{_avatar_service.CHUNK_BYTES:,} bytes",
        "silence after which the Python client gives up": f"{_frame_stream.SILENCE_SECONDS:g} s",
    }
    return table(("what", "value"), iter(facts.items()))


PARTS: dict[str, Callable[..., str]] = {
    "arrays": arrays,
    "asset": asset,
    "coefficients": coefficients,
    "command": command,
    "constants": constants,
    "evaluation": evaluation.part,
    "examples": examples,
    "islands": islands,
    "joints": joints,
    "masks": masks,
    "meshes": meshes,
    "parts": parts,
    "services": services,
    "summary": summary,
}
"""Generated parts by name."""
