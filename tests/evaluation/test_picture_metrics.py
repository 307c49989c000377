"""Metrics against values worked out by hand or by another implementation."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from lifemask import LifemaskError
from lifemask.evaluation import _lpips
from lifemask.evaluation._identity import CHIP, face_chip, similarity
from lifemask.evaluation._lpips import Lpips
from lifemask.evaluation._picture_metrics import composite, laplacian_energy, psnr, ssim_map
from lifemask.evaluation._weights import LPIPS_ALEX, find_weights
from needs import require


def noise(seed, shape=(60, 70, 3)):
    import cv2

    raw = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return cv2.GaussianBlur(raw, (0, 0), 1.5)


def test_psnr_by_hand():
    truth = np.full((10, 10, 3), 100, np.uint8)
    inside = np.zeros((10, 10), bool)
    inside[:5] = True
    assert psnr(truth + 5, truth, inside) == pytest.approx(20 * np.log10(255 / 5))
    half = truth.copy()
    half[0:5, 0:5] += 10
    assert psnr(half, truth, inside) == pytest.approx(10 * np.log10(255**2 / 50))
    half[5:] = 0
    assert psnr(half, truth, inside) == pytest.approx(10 * np.log10(255**2 / 50))
    assert psnr(truth, truth, inside) == 99.0


def reference_ssim(a, b):
    """Wang et al. 2004 with loops over windows, straight from the formula, one channel."""
    window = np.exp(-0.5 * (np.arange(11) - 5.0) ** 2 / 1.5**2)
    window = np.outer(window, window) / window.sum() ** 2
    a, b = (np.pad(one.astype(float), 5, mode="reflect") for one in (a, b))
    out = np.zeros((a.shape[0] - 10, a.shape[1] - 10))
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            out[y, x] = (2 * mp * mq + c1) * (2 * cov + c2)
            out[y, x] /= (mp**2 + mq**2 + c1) * (vp + vq + c2)
    return out


def test_ssim_agrees_with_the_formula():
    a, b = noise(0, (24, 26, 3)), noise(1, (24, 26, 3))
    mixed = (0.7 * a + 0.3 * b).astype(np.uint8)
    expected = np.mean([reference_ssim(mixed[..., c], a[..., c]) for c in range(3)], axis=0)
    assert ssim_map(mixed, a) == pytest.approx(expected, abs=1e-5)
    assert ssim_map(a, a).min() == pytest.approx(1.0)


def test_sharpness_falls_with_blur_and_ignores_what_lies_outside():
    import cv2

    picture = noise(2)
    inside = np.zeros(picture.shape[:2], bool)
    inside[10:50, 10:60] = True
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.0)
    energy = laplacian_energy(picture, inside)
    assert laplacian_energy(blurred, inside) < 0.6 * energy
    edged = picture.copy()
    edged[~inside] = 255
    assert laplacian_energy(edged, inside) == pytest.approx(energy)


def test_composite_keeps_the_outside():
    a, b = noise(3), noise(4)
    inside = np.zeros(a.shape[:2], bool)
    inside[20:40] = True
    mixed = composite(a, b, inside)
    assert (mixed[inside] == a[inside]).all() and (mixed[~inside] == b[~inside]).all()


@pytest.fixture(scope="module")
def lpips():
    require("evaluation-weights")
    return Lpips()


def test_lpips_is_nothing_for_equal_pictures_and_grows(lpips):
    import cv2

    picture = noise(5, (96, 80, 3))
    assert lpips(picture, picture) == 0.0
    blurs = [lpips(cv2.GaussianBlur(picture, (0, 0), sigma), picture) for sigma in (0.6, 1.2, 2.4)]
    assert 0 < blurs[0] < blurs[1] < blurs[2]
    small = noise(6, (30, 40, 3))
    assert lpips(small, small[::-1].copy()) > 0.05, "small crops are enlarged"


@pytest.mark.needs("torch")
def test_lpips_agrees_with_torch(lpips):
    import torch
    from torch.nn import functional

    one, other = noise(7, (97, 130, 3)), noise(8, (97, 130, 3))
    weights = _lpips._load(find_weights(LPIPS_ALEX))

    def layers(picture):
        x = torch.tensor(picture).permute(2, 0, 1)[None].float() / 255 * 2 - 1
        x = x - torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
        x = x / torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
        for number, (stride, pad) in enumerate([(4, 2), (1, 2), (1, 1), (1, 1), (1, 1)]):
            if number in (1, 2):
                x = functional.max_pool2d(x, 3, 2)
            layer = weights["AlexNet_0"][f"Conv_{number}"]
            kernel = torch.tensor(layer["kernel"]).permute(3, 2, 0, 1)
            x = functional.relu(
                functional.conv2d(x, kernel, torch.tensor(layer["bias"]), stride, pad)
            )
            yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)

    expected = 0.0
    for number, (a, b) in enumerate(zip(layers(one), layers(other), strict=True)):
        linear = torch.tensor(weights[f"NetLinLayer_{number}"]["Conv_0"]["kernel"])
        expected += functional.conv2d((a - b) ** 2, linear.permute(3, 2, 0, 1)).mean().item()
    assert lpips(one, other) == pytest.approx(expected, rel=1e-4)


def test_weights_that_are_programs_are_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return print, ("trapped",)

    path = tmp_path / "trap.ckpt"
    path.write_bytes(pickle.dumps({"AlexNet_0": Trap()}))
    with pytest.raises(LifemaskError, match="not a file of weights"):
        _lpips._load(path)


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("LIFEMASK_MODELS", str(tmp_path))
    monkeypatch.setattr("lifemask.tracking._models.model_cache_directory", lambda: tmp_path)
    found = find_weights(LPIPS_ALEX)
    assert isinstance(found, str) and "lifemask evaluate --fetch" in found


def test_similarity_moves_points_onto_others():
    source = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 3.0], [1.0, 7.0]])
    turn = 2.5 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    matrix = similarity(source, source @ turn.T + [3.0, -2.0])
    assert matrix == pytest.approx(np.c_[turn, [3.0, -2.0]])


def test_chip_is_upright_whatever_the_picture():
    """Two dots at the outer corners of the eyes fall on the same place of a turned picture."""
    points = np.zeros((478, 2))
    places = {263: (200, 120), 362: (165, 123), 33: (100, 120), 133: (135, 123), 2: (150, 180)}
    for number, place in places.items():
        points[number] = place
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[115:125, 195:205], picture[115:125, 95:105] = 255, 255
    straight = face_chip(picture, points)
    sideways = np.ascontiguousarray(np.rot90(picture))
    turned = np.stack([points[:, 1], 300 - points[:, 0]], axis=1)
    assert straight.shape == (CHIP, CHIP, 3) and straight.max() > 200
    again = face_chip(sideways, turned)
    assert np.abs(again.astype(int) - straight).mean() < 1.0


def test_embedding_tells_people_apart(shared):
    from lifemask.evaluation._identity import FaceEmbedding
    from lifemask.geometry import read_image
    from lifemask.tracking import FaceLandmarker

    require("landmarker")
    require("evaluation-weights")
    embed = FaceEmbedding()
    vectors = []
    with FaceLandmarker() as landmarker:
        for name in ("synthetic_01.jpg", "synthetic_07.jpg"):
            picture = read_image(shared / "data" / "portraits" / name)
            darker = np.ascontiguousarray((0.6 * picture[:, ::-1]).astype(np.uint8))
            for image in (picture, darker):
                vectors.append(embed(image, landmarker.detect(image)[0].pixels))
    far = np.linalg.norm(np.stack(vectors)[:, None] - np.stack(vectors)[None], axis=2)
    assert max(far[0, 1], far[2, 3]) < 0.4 < 0.6 < far[:2, 2:].min()
