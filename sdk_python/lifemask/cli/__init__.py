"""The `lifemask` command; every sub-command is a thin wrapper over a function of the same name."""

from __future__ import annotations

from lifemask.cli._app import main

__all__ = ["main"]
