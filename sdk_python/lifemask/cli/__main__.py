"""`python -m lifemask.cli`."""

from __future__ import annotations

import sys

from lifemask.cli import main

if __name__ == "__main__":
    sys.exit(main())
