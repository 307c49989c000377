"""The pictures of a clip's part of the report."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import numpy as np

from lifemask.evaluation._masks import BOXES
from lifemask.evaluation._methods import ONE_PHOTO
from lifemask.evaluation._overlay import landmark_overlay, wireframe_overlay
from lifemask.evaluation._picture_metrics import DIFFERENCE_GAIN, composite, difference_picture
from lifemask.geometry import VideoWriter, open_video, write_image
from lifemask.heads import load_head_model
from lifemask.rendering import contact_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lifemask.evaluation._footage import Footage
    from lifemask.evaluation._measure import FittedFrames
    from lifemask.evaluation._methods import Method
    from lifemask.evaluation._scores import Row
    from lifemask.evaluation._splits import Split

_SHOWN: Final = 3
_BOX_COLOUR: Final = (60, 230, 80)


class ClipPictures:
    """Writes pictures beside the report and remembers their captions.

    Attributes:
        written: `path`, `caption` and `section` of each.
    """

    def __init__(self, footage: Footage, folder: Path) -> None:
        self.folder = folder
        self.written: list[dict[str, str]] = []
        self._footage = footage

    def fit(self, fitted: FittedFrames) -> None:
        """Draw the best and the worst fit of the clip."""
        errors = np.linalg.norm(fitted.errors(), axis=2).mean(axis=1)
        order = np.array(fitted.tracked())[np.argsort(errors, kind="stable")]
        wanted = sorted({int(order[0]), int(order[-1])})
        model = load_head_model()
        for index, frame in enumerate(open_video(self._footage.path)):
            if index in wanted:
                solution, face = fitted.solutions[index], fitted.faces[index]
                assert solution is not None and face is not None
                vertices = model.vertices(
                    fitted.identity, solution.coefficients, gaze=solution.gaze
                )
                marks = landmark_overlay(frame.image, face.pixels, fitted.pixels(index))
                mesh = wireframe_overlay(
                    frame.image, vertices, model.topology, solution.pose, fitted.camera
                )
                error = 100 * solution.error_interocular
                caption = f"frame {index}: landmarks (green) and fit (red), error {error:.2f} %"
                self.sheet("fit", [marks, mesh], None, caption, name=f"fit-{index:05d}")
            if index >= wanted[-1]:
                break

    def masks(self, splits: Sequence[Split]) -> None:
        """Draw the face mask and the boxes on four frames."""
        usable = np.flatnonzero(self._footage.usable)
        places = np.linspace(0, len(usable) - 1, 4).round().astype(int)
        views = [self._masked(int(usable[place])) for place in places]
        labels = [f"frame {int(usable[place])}" for place in places]
        self.sheet("masks", views, labels, "what is compared: the bright face, and the boxes")

    def _masked(self, index: int) -> NDArray[np.uint8]:
        import cv2

        picture = np.array(self._footage.pictures[index])
        dark = ~self._footage.masks.region(index, "face")
        picture[dark] //= 3
        for name in BOXES:
            left, top, right, bottom = self._footage.masks.boxes[index][name]
            cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), _BOX_COLOUR, 1)
        return picture

    def rows(self, split: Split, methods: Sequence[Method], rows: Sequence[Row]) -> None:
        """Draw input, each row without gain and its difference, for three test frames.

        The best, the median and the worst frame of the driven avatar, by its best texture.
        """
        judged = max(
            (
                row
                for row in rows
                if row.mode == "driven" and not row.gain and not row.method.startswith(ONE_PHOTO)
            ),
            key=lambda row: row.numbers.get("psnr", 0.0),
        )
        if not judged.psnr_by_frame:
            return
        ordered = sorted(judged.psnr_by_frame, key=lambda pair: pair[1])
        shown = {"worst": ordered[0], "median": ordered[len(ordered) // 2], "best": ordered[-1]}
        chosen = [
            (m, r)
            for m, r in zip(methods, rows, strict=True)
            if not r.gain and not (r.method.startswith(ONE_PHOTO) and r.mode == "tracked")
        ]
        for word, (index, value) in shown.items():
            truth = np.array(self._footage.pictures[index])
            face = self._footage.masks.region(index, "face")
            views, labels = [truth], ["input"]
            differences = [np.zeros_like(truth)]
            for method, row in chosen:
                picture = method.frame(index)
                if picture is None:
                    continue
                whole = row.mode != ""
                views.append(picture if whole else composite(picture, truth, face))
                labels.append(f"{row.title} {dict(row.psnr_by_frame)[index]:.1f} dB")
                differences.append(difference_picture(picture, truth, face))
            labels += [f"difference x{DIFFERENCE_GAIN:.0f}"] + [""] * (len(views) - 1)
            caption = f"{word} test frame of the avatar, {judged.title}: {index}, {value:.1f} dB"
            self.sheet(
                split.name, views + differences, labels, caption,
                name=f"{split.name}-{word}", columns=len(views),
            )  # fmt: skip

    def video(self, split: Split, methods: Sequence[Method]) -> None:
        """Write the test frames side by side: input, and the driven avatar with each texture."""
        shown = [
            one
            for one in methods
            if one.mode == "driven" and not one.gain and not one.name.startswith(ONE_PHOTO)
        ]
        labels = ["input", *(one.name for one in shown)]
        path = self.folder / f"{split.name}.mp4"
        writer: VideoWriter | None = None
        with contextlib.ExitStack() as stack:
            for index in split.test:
                pictures = [one.frame(index) for one in shown]
                views = [np.array(self._footage.pictures[index])]
                views += [one for one in pictures if one is not None]
                if len(views) < len(labels):
                    continue
                sheet = contact_sheet(views, columns=len(views), labels=labels)
                if writer is None:
                    size = sheet.shape[1], sheet.shape[0]
                    writer = stack.enter_context(VideoWriter(path, *size, self._footage.rate_hz))
                writer.write(sheet)

    def sheet(
        self,
        section: str,
        views: Sequence[NDArray[np.uint8]],
        labels: Sequence[str] | None,
        caption: str,
        *,
        name: str = "",
        columns: int | None = None,
    ) -> None:
        """Write pictures side by side, three to a row where there are nine of them."""
        columns = columns or (3 if len(views) == 9 else len(views))
        sheet = contact_sheet(list(views), columns=columns, labels=labels)
        path = self.folder / f"{name or section}.jpg"
        write_image(path, sheet)
        shown = f"{self.folder.name}/{path.name}"
        self.written.append({"path": shown, "caption": caption, "section": section})
