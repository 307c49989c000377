"""`python -m lifemask.cli`."""

from __future__ import annotations

from lifemask.cli import main

if __name__ == "__main__":
    main()
