"""How long work tells its caller where it is."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[str, float], None]
"""Called as `progress(stage, fraction)`.

`stage` is a short phrase for people ("solve the identity"); a new phrase begins a new stage.
`fraction` is how much of that stage is done, 0 to 1; a stage that cannot say reports 0 and then 1.
"""


def no_progress(stage: str, fraction: float) -> None:
    """Ignore the report; the default of every `progress` argument.

    Args:
        stage: Name of the running stage.
        fraction: Share of the stage that is done, 0 to 1.
    """
