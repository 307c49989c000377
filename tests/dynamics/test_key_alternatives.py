"""What key textures are measured against: a median of mouths, the eyes of the nearest gaze."""

from __future__ import annotations

import numpy as np
import pytest
from tools.dynamics.gaze_textures import EYES, GazeTextures
from tools.dynamics.key_measure import errors
from tools.dynamics.mouth_median import mouth_database, nearest_frames

from lifemask import InputError
from lifemask.dynamics import TextureSamples, dynamic_input, face_layout
from lifemask.heads import COEFFICIENT_INDEX, load_head_model

FRAMES = 40


@pytest.fixture(scope="module")
def head():
    return load_head_model().head()


@pytest.fixture(scope="module")
def clip(head):
    """The jaw opens while the eyes turn; both show as grey that follows them."""
    layout = face_layout(head.topology, "web")
    share = np.linspace(0, 1, FRAMES)
    inputs = np.stack([dynamic_input(np.zeros(52), [0.4 * x - 0.2, 0] * 2) for x in share])
    inputs[:, COEFFICIENT_INDEX["jawOpen"]] = share
    targets = np.zeros((FRAMES, layout.size, layout.size, 3), np.float16)
    for region in layout.regions:
        if region.name in (*EYES, "cavity", "teeth", "tongue"):
            targets[:, *region.window] = 0.4 * (share[:, None, None, None] - 0.5)
    weights = np.full(targets.shape[:3], 200, np.uint8)
    return TextureSamples(
        inputs, targets, weights, layout, np.arange(FRAMES), np.ones(FRAMES, np.float32)
    )


class Static:
    kind = "key"

    def __init__(self, layout):
        self.layout = layout

    def evaluate(self, inputs):
        del inputs
        return np.full((self.layout.size, self.layout.size, 3), 0.5, np.float32)

    def to_files(self):
        return {}


def test_the_nearest_frames_carry_nine_tenths_of_the_weight():
    places = np.random.default_rng(1).normal(size=(300, 4))
    frames, shares = nearest_frames(places, places[7])
    assert frames[0] == 7
    assert len(frames) == 50
    assert (np.diff(shares) <= 0).all()
    square = ((places - places[7]) ** 2).sum(axis=1)
    sigma = -square[frames[-1]] / (2 * np.log(shares[-1]))
    assert shares.sum() / np.exp(-square / (2 * sigma)).sum() == pytest.approx(0.9, abs=0.01)


def test_a_mouth_is_found_by_where_the_lips_are(clip, head):
    database = mouth_database(clip, head)
    blank = Static(clip.layout).evaluate(None)
    for i in (5, 20, 34):
        teeth = database.apply(blank, clip.inputs[i])[clip.layout.region("teeth").window]
        expected = 0.5 + 0.5 * float(clip.targets[i][clip.layout.region("teeth").window].max())
        assert np.median(teeth) == pytest.approx(expected, abs=0.03)
    assert database.size_bytes < 5e6
    with pytest.raises(InputError):
        blind = TextureSamples(
            clip.inputs,
            clip.targets,
            np.zeros_like(clip.weights),
            clip.layout,
            clip.frames,
            clip.gains,
        )
        mouth_database(blind, head)


def test_eyes_of_the_nearest_gaze_lower_the_error(clip):
    static = Static(clip.layout)
    eyes = GazeTextures(clip, static)
    before, after = errors(static.evaluate, clip), errors(eyes.evaluate, clip)
    assert after[2] > before[2] + 10
    assert after[0] == before[0]
