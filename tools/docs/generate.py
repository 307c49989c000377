"""Write the generated parts of the documents, or check that they are up to date.

    python tools/docs/generate.py [--check]

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`, where NAME is a key
of `facts.PARTS`, followed by its argument if it takes one. Everything else is written by people.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.docs.facts import PARTS  # noqa: E402

DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]

_PART = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> int:
    """Run; return 1 when `--check` finds a document that is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    outdated = differences()
    for path, text in outdated.items():
        print(f"{path.relative_to(ROOT)} is out of date" if check else f"wrote {path.name}")
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
    if check and outdated:
        print("run: python tools/docs/generate.py")
    return int(check and bool(outdated))


def differences() -> dict[Path, str]:
    """Return the documents whose generated parts differ, with the text they should have."""
    found = {}
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        wanted = fill(text)
        if wanted != text:
            found[path] = wanted
    return found


def fill(text: str) -> str:
    """Return a document with its generated parts written anew.

    Raises:
        KeyError: A part has a name that is not known.
    """

    def part(match: re.Match[str]) -> str:
        name, *arguments = match[2].split()
        return f"{match[1]}\n{PARTS[name](*arguments)}\n\n{match[3]}"

    return _PART.sub(part, text)


if __name__ == "__main__":
    sys.exit(main())
