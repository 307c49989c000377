"""How long the rasteriser and the software renderer take on one core."""

from __future__ import annotations

import numpy as np
from _report import Measurement, publish, repeat

from lifemask.capture import PerformanceFrame
from lifemask.geometry import Camera, Pose, axis_angle_matrix, matrix_quaternion, rasterize
from lifemask.heads import Head, load_head_model
from lifemask.rendering import Renderer, frame_head, preview, turntable

RASTER_BUDGETS = {256: 3.0, 512: 7.0, 1024: None}
FRAME_BUDGET = 25.0
TIMES = 40


def main() -> None:
    """Measure and publish."""
    head = load_head_model().head()
    count = len(head.topology.faces)
    rows = [raster_row(head, size, budget) for size, budget in RASTER_BUDGETS.items()]
    rows += render_rows(head)
    publish(
        "Rendering",
        rows,
        remarks=(
            f"The head has {count:,} faces and fills most of the picture; textures are 2048² with "
            "noise. One thread. A raster holds face, barycentric coordinates and depth of every "
            "pixel. A frame is skinning, visibility at 2 × 2 samples, shading and background."
        ),
    )


def raster_row(head: Head, size: int, budget: float | None) -> Measurement:
    """Time one raster of the whole head, back faces included."""
    camera, pose = frame_head(head, size, size)
    points = pose.apply(head.neutral.astype(np.float64))
    pixels, depth, faces = camera.project(points), -points[:, 2], head.topology.faces
    values = repeat(lambda: rasterize(pixels, depth, faces, size, size), times=TIMES)
    return Measurement(f"raster {size}²", values, "ms", budget)


def render_rows(head: Head) -> list[Measurement]:
    """Time what a viewer and a build do with the renderer."""
    rng = np.random.default_rng(0)
    noise = {
        name: rng.integers(90, 200, (2048, 2048, 3), np.uint8)
        for name in ("albedo", "normal", "orm")
    }
    plain, full = Renderer(head, {"albedo": noise["albedo"]}), Renderer(head, noise)
    view, large = frame_head(head, 512, 512), frame_head(head, 1024, 1024)
    rng_frames = iter(performance(rng, 1000))
    timed = {
        "frame 512², albedo": lambda: draw(plain, next(rng_frames), *view),
        "frame 512², albedo, normal and ORM": lambda: draw(full, next(rng_frames), *view),
        "frame 1024², albedo": lambda: draw(plain, next(rng_frames), *large),
    }
    rows = [
        Measurement(name, repeat(work, times=TIMES), "ms", FRAME_BUDGET if "512" in name else None)
        for name, work in timed.items()
    ]
    make = repeat(lambda: Renderer(head, noise), times=5)
    rows.append(Measurement("renderer, three textures prepared", make, "ms"))
    sheet = repeat(lambda: turntable(head, noise), times=3)
    rows.append(Measurement("turntable, 8 views of 512²", sheet, "ms"))
    rows.append(
        Measurement("preview, 6 views", repeat(lambda: preview(head, noise), times=3), "ms")
    )
    return rows


def performance(rng: np.random.Generator, count: int) -> list[PerformanceFrame]:
    """Return frames with a third of the coefficients at work and the head turning."""
    frames = []
    for index in range(count):
        values = rng.random(52, np.float32) * (rng.random(52) < 0.33)
        turn = axis_angle_matrix([0.0, 0.4 * np.sin(index / 10), 0.0])
        frames.append(
            PerformanceFrame(0, values.astype(np.float32), matrix_quaternion(turn).astype("f4"))
        )
    return frames


def draw(renderer: Renderer, frame: PerformanceFrame, camera: Camera, pose: Pose) -> None:
    """Render one frame as a client does that shows a stream."""
    renderer.render_frame(frame, pose=pose, camera=camera)


if __name__ == "__main__":
    main()
