"""A process that looks at a part of a clip; started by `_capture_parallel`.

Reads one job as JSON from standard input, prints the number of frames done, writes the result.
"""

from __future__ import annotations

import json
import signal
import sys
import warnings
from pathlib import Path

import numpy as np

from lifemask.avatar._capture_observe import observe_span
from lifemask.geometry import open_video


def main() -> None:
    """Run the job."""
    # The console sends Ctrl-C to all processes; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    job = json.load(sys.stdin)
    span = observe_span(
        open_video(Path(job["path"])),
        job["wanted"],
        job["first"],
        job["last"],
        None,
        lambda done: print(done, flush=True),
        seek=job["seek"],
    )
    with Path(job["result"]).open("wb") as file:
        np.savez(file, allow_pickle=False, **span.to_arrays())


if __name__ == "__main__":
    main()
