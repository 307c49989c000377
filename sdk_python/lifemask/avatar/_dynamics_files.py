"""Dynamic textures in a package: `dynamics/layout.json`, `dynamics/masks.png`, files by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lifemask.avatar._pictures import decode_png, encode_png, picture_shape
from lifemask.avatar._records import damaged, parse_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lifemask.dynamics import DynamicTexture, Layout

FOLDER: Final = "dynamics/"
LAYOUT_PATH: Final = FOLDER + "layout.json"
MASKS_PATH: Final = FOLDER + "masks.png"
_LARGEST_LAYOUT: Final = 2**20


class LazyDynamics(Mapping[str, "DynamicTexture"]):
    """Dynamic textures by kind, from the best to the plainest; each is read at its first use."""

    def __init__(self, layout: Layout, files: Mapping[str, Mapping[str, bytes]]) -> None:
        """Take the files of each kind by name, without the folder."""
        self._layout = layout
        self._files = dict(files)
        self._read: dict[str, DynamicTexture] = {}

    def __getitem__(self, kind: str) -> DynamicTexture:
        from lifemask.dynamics import read_back_end

        if kind not in self._read:
            self._read[kind] = read_back_end(kind, self._files[kind], self._layout)
        return self._read[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def dynamics_files(dynamics: Mapping[str, DynamicTexture]) -> dict[str, bytes]:
    """Return the files of dynamic textures by path.

    Raises:
        ValueError: They have different layouts, or one is under the name of another kind.
    """
    if not dynamics:
        return {}
    layouts = [one.layout for one in dynamics.values()]
    records = [(one.to_dict(), one.masks().tobytes()) for one in layouts]
    if any(record != records[0] for record in records):
        raise ValueError("the dynamic textures of an avatar have different layouts")
    files = {LAYOUT_PATH: write_json(records[0][0]), MASKS_PATH: encode_png(layouts[0].masks())}
    for kind, texture in sorted(dynamics.items()):
        own = texture.to_files()
        if texture.kind != kind or any(_kind_of(name) != kind for name in own):
            raise ValueError(f"the dynamic texture {kind!r} is of another kind")
        files |= {FOLDER + name: bytes(data) for name, data in own.items()}
    return files


def take_dynamics(files: dict[str, bytes]) -> Mapping[str, DynamicTexture]:
    """Remove the files of dynamic textures from `files` and return what they hold.

    Files of kinds that this version does not know stay where they are.

    Raises:
        PackageError: The layout is missing or damaged.
    """
    from lifemask.dynamics import BACK_ENDS, Layout

    found: dict[str, dict[str, bytes]] = {kind: {} for kind in BACK_ENDS}
    for path in sorted(files):
        kind = _kind_of(path.removeprefix(FOLDER)) if path.startswith(FOLDER) else ""
        if kind in found:
            found[kind][path.removeprefix(FOLDER)] = files.pop(path)
    found = {kind: own for kind, own in found.items() if own}
    if not found:
        return {}
    record, masks = files.pop(LAYOUT_PATH, b""), files.pop(MASKS_PATH, b"")
    if not record or not masks or len(record) > _LARGEST_LAYOUT:
        raise damaged("the package has a dynamic texture without its layout")
    value = parse_json(record, LAYOUT_PATH)
    if not isinstance(value, dict):
        raise damaged(f"{LAYOUT_PATH} is not an object")
    height, width, channels = picture_shape(masks, MASKS_PATH)
    if (height, width, channels) != (value.get("size"), value.get("size"), 1):
        raise damaged(f"{MASKS_PATH} has another size than the layout")
    return LazyDynamics(Layout.from_dict(value, decode_png(masks, MASKS_PATH)), found)


def dynamics_sizes(files: Mapping[str, bytes]) -> dict[str, int]:
    """Return the kinds of dynamic textures in a package, each with the bytes of its files.

    All of them are read, so that damaged ones are found.

    Raises:
        PackageError: One is damaged.
    """
    taken = dict(files)
    found = take_dynamics(taken)
    sizes = dict.fromkeys(found, 0)
    for path, data in files.items():
        kind = _kind_of(path.removeprefix(FOLDER))
        if path.startswith(FOLDER) and kind in sizes:
            sizes[kind] += len(data)
    for kind in found:
        found[kind]
    return sizes


def _kind_of(name: str) -> str:
    """Return the kind that a file's name begins with, e.g. `linear.png` or `key_mouth.png`."""
    return name.split("/")[0].split(".")[0].split("_")[0]
