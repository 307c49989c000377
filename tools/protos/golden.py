"""Write the golden files of `protos/testdata`, which every language's decoder is tested with.

    python tools/protos/golden.py            writes them
    python tools/protos/golden.py --check    changes nothing; exit status 1 if they differ

`messages.json` lists encoded messages with their canonical JSON; `poses.json` holds rotations,
translations and projections in the conventions of the contract. Run it with the interpreter that
has lifemask installed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "protos" / "testdata"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, report differences")
    files = render()
    if parser.parse_args(arguments).check:
        wrong = differences(files)
        for name in wrong:
            print(f"protos/testdata/{name} is not what tools/protos/golden.py writes")
        return int(bool(wrong))
    for name, data in files.items():
        path = FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return 0


def render() -> dict[str, bytes]:
    """Return the content of every golden file by its path below `protos/testdata`."""
    from tools.protos.golden_messages import invalid_cases, valid_cases
    from tools.protos.golden_poses import pose_table

    files = {}
    listing: dict[str, list[dict[str, object]]] = {"valid": [], "invalid": []}
    for case in valid_cases():
        name = f"messages/{case.name}.binpb"
        files[name] = case.data
        listing["valid"].append(
            {
                "name": case.name,
                "type": case.type_name,
                "file": name,
                "note": case.note,
                "canonical": case.canonical,
                "json": case.to_json(),
            }
        )
    for case in invalid_cases():
        name = f"invalid/{case.name}.binpb"
        files[name] = case.data
        listing["invalid"].append(
            {"name": case.name, "type": case.type_name, "file": name, "note": case.note}
        )
    files["messages.json"] = _json(listing)
    files["poses.json"] = _json(pose_table())
    return files


def differences(files: dict[str, bytes]) -> list[str]:
    """Return the paths that are missing, different, or not written by this script."""
    present = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file()
        and path.name != "README.md"
        # The vectors of dynamic textures have a writer and a test of their own.
        and path.parent.name != "dynamics"
    }
    wrong = {name for name, data in files.items() if not _same(FOLDER / name, data)}
    return sorted(wrong | (present - files.keys()))


def _same(path: Path, data: bytes) -> bool:
    """Compare; a checkout may have changed the line ends of text."""
    if not path.is_file():
        return False
    found = path.read_bytes()
    if path.suffix == ".json":
        found = found.replace(b"\r\n", b"\n")
    return found == data


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode("utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    sys.exit(main())
