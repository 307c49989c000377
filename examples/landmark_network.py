"""Drive an avatar from landmarks with the small network that ships with lifemask.

    python examples/landmark_network.py [FOLDER]

478 landmarks go in, 52 coefficients come out: no solver, no camera model; an engine can run it
through ONNX. It is steadier than the solver that `video_file.py` uses and plays weak expressions
weaker; `docs/regression.md` has the numbers. Writes a video: performer left, avatar right.
"""

from __future__ import annotations

import time

import numpy as np
from _demo_avatar import demo_package, output_folder
from video_file import RATE_HZ, SIZE, film

import lifemask
from lifemask.geometry import VideoWriter, open_video
from lifemask.heads import COEFFICIENT_INDEX
from lifemask.rendering import Renderer, frame_head
from lifemask.rigging import BlendshapeRegressor
from lifemask.tracking import FaceLandmarker


def main() -> None:
    """Film a performance that is known, and let the network follow it."""
    folder = output_folder()
    avatar = lifemask.Avatar.load(demo_package(folder))
    performed = film(avatar, folder / "performer.mp4")
    found, seconds = [], 0.0

    regressor = BlendshapeRegressor()
    renderer = Renderer(avatar.head, avatar.textures, hair=avatar.hair)
    camera, pose = frame_head(avatar.head, SIZE, SIZE)
    path = folder / "landmark-network.mp4"
    with FaceLandmarker() as landmarker, VideoWriter(path, 2 * SIZE, SIZE, RATE_HZ) as video:
        for picture in open_video(folder / "performer.mp4"):
            face = landmarker.track(picture.image, picture.time_seconds)
            if face is None:
                raise SystemExit("no face; use a clip that shows one in every frame")
            if not found:
                regressor.calibrate(face.points)  # the script begins with a face at rest
            started = time.perf_counter()
            found.append(regressor.coefficients(face.points))
            seconds += time.perf_counter() - started
            view = renderer.render(avatar.head.vertices(found[-1]), pose=pose, camera=camera)
            video.write(np.hstack([picture.image, view]))

    print(f"{len(found)} frames, {1000 * seconds / len(found):.2f} ms each for the network")
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp", "eyeBlinkLeft"):
        column = COEFFICIENT_INDEX[name]
        truth = [frame.coefficients[column] for frame in performed]
        estimate = [coefficients[column] for coefficients in found]
        correlation = np.corrcoef(truth, estimate)[0, 1]
        print(f"  {name}: up to {max(estimate):.2f} of {max(truth):.2f}, r = {correlation:.2f}")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
