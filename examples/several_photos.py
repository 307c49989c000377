"""Build one avatar from several photos of the same person.

    python examples/several_photos.py [FOLDER]

One identity is fitted to all photos, and each gives texture to what it shows best. Only one
portrait ships with lifemask, so the second "photo" here is a drawing of the avatar that the first
one gave: it shows how the call works, but knows nothing about the person that the portrait does
not show. Real photos from the left and from the right do.
"""

from __future__ import annotations

import math

from _demo_avatar import PORTRAIT, demo_package, output_folder

import lifemask


def main() -> None:
    """Draw a second view, then build from both."""
    folder = output_folder()
    first = demo_package(folder)
    turned = folder / "several-turned.png"
    lifemask.render(first, turned, size=1024, yaw=math.radians(25))

    package = folder / "several.lifemask"
    avatar = lifemask.build([PORTRAIT, turned], package, name="Two views", texture_size=1024)
    lifemask.render(avatar, folder / "several.png", size=384)

    before = lifemask.info(first).manifest.metrics
    for name, value in avatar.manifest.metrics.items():
        print(f"{name}: {before.get(name)} with one photo, {value} with two")
    print(f"wrote {package} and {folder / 'several.png'}")


if __name__ == "__main__":
    main()
