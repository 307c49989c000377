"""Build an avatar from one photo, look at it, and export it for an engine.

    python examples/photo.py [FOLDER]

Writes the package, `photo.glb` for Unity, Unreal, Blender or three.js, and a picture of a smile.
"""

from __future__ import annotations

import datetime

from _demo_avatar import PORTRAIT, output_folder

import lifemask


def main() -> None:
    """Go from the photo to the engine file."""
    folder = output_folder()
    package = folder / "photo.lifemask"

    # What the person agreed to travels with the avatar, into the glTF file too.
    consent = lifemask.Consent(
        subject="nobody; the face is generated", purpose="example", date=datetime.date.today()
    )
    lifemask.build([PORTRAIT], package, name="Demo", consent=consent, progress=show_stage)
    glb = lifemask.export(package, folder / "photo.glb")
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "jawOpen": 0.1}
    picture = lifemask.render(package, folder / "photo-smile.png", yaw=0.3, expression=smile)

    found = lifemask.info(package)
    print(f"{found.manifest.name}: {found.vertex_count} vertices, {found.consent}")
    for metric, value in found.manifest.metrics.items():
        print(f"  {metric} = {value}")
    print(f"wrote {package}, {glb} ({glb.stat().st_size / 1e6:.1f} MB) and {picture.path}")


def show_stage(stage: str, fraction: float) -> None:
    """Print each stage of long work when it begins."""
    if fraction == 0.0:
        print(f"{stage} …")


if __name__ == "__main__":
    main()
