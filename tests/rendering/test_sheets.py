from __future__ import annotations

import numpy as np
import pytest

from lifemask.rendering import Renderer, contact_sheet, preview, turntable
from synthetic import make_head, make_textures


def block(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_sheet_lays_pictures_out_in_rows():
    sheet = contact_sheet([block(v) for v in (10, 20, 30, 40, 50)], columns=3, gap=2)
    assert sheet.shape == (2 * 22 + 2, 3 * 32 + 2, 3)
    centres = [int(sheet[12 + 22 * r, 17 + 32 * c, 0]) for r in range(2) for c in range(3)]
    assert centres[:5] == [10, 20, 30, 40, 50]
    assert centres[5] == sheet[0, 0, 0]


def test_smaller_pictures_are_centred():
    sheet = contact_sheet([block(200), block(90, 10, 10)], columns=2, gap=0)
    assert sheet.shape == (20, 60, 3)
    assert sheet[10, 45, 0] == 90
    assert sheet[1, 31, 0] == sheet[19, 59, 0] == 40


def test_labels_are_written_below_their_picture():
    plain = contact_sheet([block(0, 100, 100)] * 2, columns=2)
    sheet = contact_sheet([block(0, 100, 100)] * 2, columns=2, labels=["", "left 30°"])
    assert sheet.shape[0] > plain.shape[0]
    strip = sheet[104:, :, 0]
    assert strip[:, :104].max() == 40
    assert strip[:, 110:200].max() > 150


def test_bad_sheets_are_refused():
    with pytest.raises(ValueError, match="no pictures"):
        contact_sheet([])
    with pytest.raises(ValueError, match="2 labels for 1"):
        contact_sheet([block(1)], labels=["a", "b"])


def test_turntable_and_preview():
    renderer = Renderer(make_head(), make_textures(), supersampling=3)
    views = turntable(renderer, yaws=(-0.5, 0.0, 0.5), width=64, height=80)
    assert [v.shape for v in views] == [(80, 64, 3)] * 3
    assert len({v.tobytes() for v in views}) == 3
    direct = turntable(make_head(), make_textures(), yaws=(0.0,), width=64, height=80)
    assert np.array_equal(direct[0], views[1])
    row = preview(renderer, height=64)
    assert row.shape == (64, 6 * 48, 3)
    assert not np.array_equal(row[:, 96:144], row[:, 240:])
