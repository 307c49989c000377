"""Export avatars to a format of your own: Wavefront OBJ with a table of its shapes.

    python examples/own_exporter.py [FOLDER]

`register_exporter` makes a format known to this process. A package that declares the entry point
`lifemask.exporters` in its `pyproject.toml` makes it known to `lifemask export` too.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from _demo_avatar import demo_package, output_folder

import lifemask
from lifemask.avatar import register_exporter
from lifemask.geometry import write_image


class ObjExporter:
    """Writes `NAME.obj` with material and texture, and what each expression moves as CSV."""

    suffixes = (".obj",)

    def export(self, avatar: lifemask.Avatar, path: Path, *, millimetres: bool = False) -> None:
        """Write the files; options like `millimetres` are passed on by `lifemask.export`."""
        mesh, texture = avatar.head.topology, path.with_suffix(".png")
        write_image(texture, avatar.textures["albedo"])
        material = f"newmtl skin\nmap_Kd {texture.name}\n"
        path.with_suffix(".mtl").write_text(material, encoding="utf-8")
        scale = 1000.0 if millimetres else 1.0
        with path.open("w", encoding="utf-8") as file:
            file.write(f"mtllib {path.with_suffix('.mtl').name}\nusemtl skin\n")
            np.savetxt(file, scale * avatar.head.neutral, fmt="v %.6f %.6f %.6f")
            # The atlas has v down, as in glTF; OBJ counts from the bottom.
            np.savetxt(file, mesh.uv * [1, -1] + [0, 1], fmt="vt %.6f %.6f")
            corners = np.stack([mesh.faces, mesh.faces_uv], axis=-1).reshape(-1, 6) + 1
            np.savetxt(file, corners, fmt="f %d/%d %d/%d %d/%d")
        write_shapes(avatar.head, path.with_suffix(".csv"))


def write_shapes(head: lifemask.Head, path: Path) -> None:
    """Write how many vertices each expression moves, and how far."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["name", "moved_vertices", "largest_move_mm"])
        for name, deltas in zip(lifemask.COEFFICIENT_NAMES, head.expression_deltas, strict=True):
            moved = 1000.0 * np.linalg.norm(deltas, axis=1)
            table.writerow([name, int((moved > 0.01).sum()), f"{moved.max():.2f}"])


def main() -> None:
    """Register the exporter and use it."""
    folder = output_folder()
    register_exporter("obj", ObjExporter())
    path = lifemask.export(demo_package(folder), folder / "demo.obj", millimetres=True)
    print(f"wrote {path} with {path.with_suffix('.csv').name}")


if __name__ == "__main__":
    main()
