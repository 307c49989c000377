"""The tools that build the head asset are scripts beside the SDK, not part of it."""

from __future__ import annotations

import sys

from repository import ROOT

sys.path.append(str(ROOT / "tools"))
