"""Write footage of a person who does not exist, with its truth.

    python tools/synthetic/generate.py 7 -o out/person7
    python tools/synthetic/generate.py 7 --head-path ict_facekit_light.npz -o out/ict7

Writes `portrait.png`, `clip_a.mp4` and `clip_b.mp4`, each with the truth beside it as `.npz`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lifemask.evaluation.synthetic import clip_a, clip_b, synthetic_person, synthetic_portrait
from lifemask.geometry import write_image
from lifemask.heads import load_head_model


def main() -> None:
    """Parse the command line and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("--head-path", type=Path, help="ICT-FaceKit's npz file, to use that head")
    parser.add_argument("--darkness", type=float, help="of the skin, 0 to 1; random when left out")
    parser.add_argument("--clip-a", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--clip-b", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument("--rate", type=float, default=30.0, metavar="HZ")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    model = load_head_model("ict", options.head_path) if options.head_path else None
    person = synthetic_person(options.seed, model=model, darkness=options.darkness)
    portrait = synthetic_portrait(options.seed, person=person)
    write_image(options.output / "portrait.png", portrait.frame(0))
    portrait.truth.save(options.output / "portrait.npz")
    clips = (clip_a, options.clip_a, "clip_a"), (clip_b, options.clip_b, "clip_b")
    for make, seconds, name in clips:
        clip = make(options.seed, person=person, seconds=seconds, rate_hz=options.rate)
        print(clip.write(options.output / f"{name}.mp4"), len(clip), "frames")


if __name__ == "__main__":
    main()
