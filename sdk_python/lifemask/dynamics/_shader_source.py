"""GLSL ES 3.00 of the passes that a texture network turns into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lifemask.dynamics._network import SLOPE

if TYPE_CHECKING:
    from collections.abc import Iterable

_PRODUCT = "mat4(weight(o), weight(o + 1), weight(o + 2), weight(o + 3))"


def program(textures: Iterable[str], width: int, body: str) -> str:
    """Return a whole fragment shader.

    Args:
        textures: Names of its samplers, `weights` among them.
        width: Texels in a row of the texture of weights.
        body: Of `main`.
    """
    samplers = "".join(f"uniform sampler2D {name};\n" for name in textures)
    return (
        "#version 300 es\n"
        "precision highp float;\nprecision highp int;\nprecision highp sampler2D;\n"
        f"{samplers}out vec4 result;\n"
        "vec4 weight(int i) {\n"
        f"  return texelFetch(weights, ivec2(i % {width}, i / {width}), 0);\n}}\n"
        f"void main() {{\n  ivec2 p = ivec2(gl_FragCoord.xy);\n{body}}}\n"
    )


def limit(low: int, high: int) -> str:
    """Bring inputs into the range of training."""
    return (
        "  vec4 v = texelFetch(source, p, 0);\n"
        f"  result = min(max(v, weight({low} + p.x)), weight({high} + p.x));\n"
    )


def dense(weights: int, start: int, fours: int, *, active: bool) -> str:
    """Fully connected layer from a vector to a vector."""
    end = _active() if active else "  result = s;\n"
    return f"  vec4 s = weight({start} + p.x);\n{_sum('source', weights, 'p.x', fours)}{end}"


def shares(weights: tuple[int, int], start: int, fours: tuple[int, int], tiles: int) -> str:
    """Fully connected layer on inputs and hidden units, to a column for each tile."""
    return (
        f"  int k = p.y * {tiles} + p.x;\n"
        f"  vec4 s = weight({start} + k);\n"
        f"{_sum('source', weights[0], 'k', fours[0])}"
        f"{_sum('hidden', weights[1], 'k', fours[1])}"
        "  result = s;\n"
    )


def latent(weights: int, start: int, fours: int, side: int) -> str:
    """Fully connected layer from a vector to a map."""
    place = f"(p.x / {side} * {side} + p.y) * {side} + p.x % {side}"
    return (
        f"  int k = {place};\n  vec4 s = weight({start} + k);\n"
        f"{_sum('source', weights, 'k', fours)}  result = s;\n"
    )


def convolution(weights: int, start: int, side: int, groups: int, *, doubled: bool) -> str:
    """3 x 3 convolution of a map, made twice as large before if wanted, and rectifier."""
    taps = _taps("source", f"g * 9 + t) * {groups}", weights, side, groups, 1 if doubled else 0)
    return (
        f"  int g = p.x / {side};\n  p.x -= g * {side};\n"
        f"  vec4 s = weight({start} + g);\n{_over_taps(side, taps)}{_active()}"
    )


def basis(side: int, groups: int) -> str:
    """Mean and basis maps, these weighted with the shares of each texel's tile."""
    lines = [f"  vec4 m = texelFetch(maps, p + ivec2({3 * groups * side}, 0), 0);\n  vec4 w;\n"]
    for group in range(groups):
        parts = ", ".join(
            f"dot(w, texelFetch(maps, p + ivec2({(colour * groups + group) * side}, 0), 0))"
            for colour in range(3)
        )
        lines.append(f"  w = texelFetch(source, ivec2(int(m.a + 0.5), {group}), 0);\n")
        lines.append(f"  m.rgb += vec3({parts});\n")
    return "".join(lines) + "  result = vec4(m.rgb, 0.0);\n"


def head(
    weights: int, start: int, half: int, groups: int, detail: int | None, *, doubled: bool
) -> str:
    """Last convolution of trunk and basis maps, straight to the colours of each sub-pixel."""
    every = groups + 1
    index = f"g * 9 + t) * {every}"
    taps = _taps("source", index, weights, half, groups, 0)
    taps += _taps("basis", f"{index} + {groups}", weights, half, 1, 1 if doubled else 0)
    more = ""
    if detail is not None:
        more = f"  s += texelFetch(maps, p + ivec2({detail}, 0), 0)[g];\n"
    return (
        "  int g = (p.y & 1) * 2 + (p.x & 1);\n  p /= 2;\n"
        f"  vec4 s = weight({start} + g);\n{_over_taps(half, taps)}{more}"
        "  result = vec4(clamp(s.rgb, 0.0, 1.0), 1.0);\n"
    )


def _sum(texture: str, weights: int, row: str, fours: int) -> str:
    return (
        f"  for (int i = 0; i < {fours}; i++) {{\n"
        f"    int o = {weights} + ({row} * {fours} + i) * 4;\n"
        f"    s += {_PRODUCT} * texelFetch({texture}, ivec2(i, 0), 0);\n  }}\n"
    )


def _taps(texture: str, index: str, weights: int, side: int, groups: int, shift: int) -> str:
    """Add what one tap sees of a map of `groups` tiles; `index` lacks its opening bracket."""
    return (
        f"    for (int i = 0; i < {groups}; i++) {{\n"
        f"      int o = {weights} + (({index} + i) * 4;\n"
        f"      s += {_PRODUCT} * texelFetch({texture}, (q >> {shift})"
        f" + ivec2(i * {side >> shift}, 0), 0);\n    }}\n"
    )


def _over_taps(side: int, taps: str) -> str:
    return (
        "  for (int t = 0; t < 9; t++) {\n"
        "    ivec2 q = p + ivec2(t % 3 - 1, t / 3 - 1);\n"
        f"    if (min(q.x, q.y) < 0 || max(q.x, q.y) >= {side}) continue;\n{taps}  }}\n"
    )


def _active() -> str:
    return f"  result = max(s, {SLOPE} * s);\n"
