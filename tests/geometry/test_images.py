from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from lifemask import _errors
from lifemask.geometry import read_image, resize_image, write_image


@pytest.fixture
def corner_picture():
    """A 60 x 40 picture, grey, with a red top left and a blue bottom right corner."""
    picture = np.full((40, 60, 3), 128, np.uint8)
    picture[:16, :16] = (255, 0, 0)
    picture[-16:, -16:] = (0, 0, 255)
    return picture


def png(width: int, height: int, bits: int, color_type: int, rows: bytes) -> bytes:
    """Return a PNG file with raw rows (each with its filter byte)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def sixteen_bit_rows(values: np.ndarray) -> bytes:
    return b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".bmp", ".tiff"])
def test_round_trip(tmp_path, corner_picture, suffix):
    path = tmp_path / f"a{suffix}"
    write_image(path, corner_picture)
    tolerance = 12 if suffix == ".webp" else 0
    difference = np.abs(read_image(path).astype(int) - corner_picture)
    assert np.median(difference) <= tolerance
    assert np.mean(difference) <= tolerance
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, corner_picture, orientation):
    stored = {
        1: corner_picture,
        2: corner_picture[:, ::-1],
        3: corner_picture[::-1, ::-1],
        4: corner_picture[::-1],
        5: corner_picture.transpose(1, 0, 2),
        6: np.rot90(corner_picture, 1),
        7: corner_picture[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(corner_picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, quality=100, subsampling=0)
    image = read_image(path)
    assert image.shape == corner_picture.shape
    assert np.abs(image.astype(int) - corner_picture).max() <= 6


def test_sixteen_bit_colour(tmp_path):
    values = np.arange(8 * 4 * 3).reshape(4, 8 * 3) * 600 + 100
    path = tmp_path / "a.png"
    path.write_bytes(png(8, 4, 16, 2, sixteen_bit_rows(values)))
    expected = (values.reshape(4, 8, 3) / 257).round()
    assert np.abs(read_image(path) - expected).max() <= 1


def test_sixteen_bit_grey(tmp_path):
    values = np.linspace(0, 65535, 32).reshape(4, 8).astype(int)
    path = tmp_path / "a.png"
    path.write_bytes(png(8, 4, 16, 0, sixteen_bit_rows(values)))
    image = read_image(path)
    assert image.shape == (4, 8, 3)
    assert np.abs(image - (values / 257).round()[..., None]).max() <= 1


def test_alpha_is_composed_over_mid_grey(tmp_path):
    rgba = np.zeros((4, 6, 4), np.uint8)
    rgba[:, 2:4] = (200, 100, 0, 128)
    rgba[:, 4:] = (200, 100, 0, 255)
    path = tmp_path / "a.png"
    write_image(path, rgba)
    image = read_image(path)
    assert np.array_equal(image[0, 0], [128, 128, 128])
    assert np.abs(image[0, 2].astype(int) - [164, 114, 64]).max() <= 1
    assert np.array_equal(image[0, 5], [200, 100, 0])


def test_palette_with_transparency(tmp_path):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 250, 20, 30])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "a.png", transparency=0)
    image = read_image(tmp_path / "a.png")
    assert np.array_equal(image[0, 0], [128, 128, 128])
    assert np.array_equal(image[1, 1], [250, 20, 30])


def test_grey_cmyk_and_one_bit(tmp_path):
    Image.new("L", (8, 8), 77).save(tmp_path / "grey.png")
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", quality=100)
    Image.new("1", (8, 8), 1).save(tmp_path / "bit.png")
    assert np.all(read_image(tmp_path / "grey.png") == 77)
    assert np.abs(read_image(tmp_path / "cmyk.jpg").astype(int) - [255, 0, 0]).max() <= 3
    assert np.all(read_image(tmp_path / "bit.png") == 255)


def test_float_tiff(tmp_path):
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "a.tiff")
    assert np.all(read_image(tmp_path / "a.tiff") == 128)


def swapped_primaries_profile() -> bytes:
    """Return an ICC profile whose red primary is the green of sRGB and the other way round."""

    def fixed(*numbers: float) -> bytes:
        return struct.pack(f">{len(numbers)}i", *(round(n * 65536) for n in numbers))

    text = b"swapped"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * 79,
        b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249),
        b"gXYZ": b"XYZ \0\0\0\0" + fixed(0.4361, 0.2225, 0.0139),
        b"rXYZ": b"XYZ \0\0\0\0" + fixed(0.3851, 0.7169, 0.0971),
        b"bXYZ": b"XYZ \0\0\0\0" + fixed(0.1431, 0.0606, 0.7142),
    }
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        tags[name] = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    table, body, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        padded = data + b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", name, offset + len(body), len(data))
        body += padded
    header = struct.pack(">I4sI4s4s4s", offset + len(body), b"", 0x02400000, b"mntr", b"RGB ",
                         b"XYZ ")  # fmt: skip
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    header += fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def test_colour_profile_is_converted(tmp_path):
    image = Image.new("RGB", (4, 4), (200, 40, 60))
    image.save(tmp_path / "a.png", icc_profile=swapped_primaries_profile())
    assert np.abs(read_image(tmp_path / "a.png")[0, 0].astype(int) - [40, 200, 60]).max() <= 8


@pytest.mark.parametrize("profile", ["sRGB", "broken"])
def test_profile_that_changes_nothing(tmp_path, profile):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = srgb if profile == "sRGB" else b"not a profile" * 20
    Image.new("RGB", (4, 4), (120, 60, 61)).save(tmp_path / "a.png", icc_profile=data)
    assert np.array_equal(read_image(tmp_path / "a.png")[0, 0], [120, 60, 61])


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.array_equal(read_image(tmp_path / "a.gif")[4, 4], [255, 0, 0])


def test_truncated_jpeg(tmp_path, corner_picture):
    write_image(tmp_path / "a.jpg", np.tile(corner_picture, (4, 4, 1)))
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(_errors.ImageError, match=r"damaged or incomplete") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"dear diary, " * 50, "JPEG"),
        (b"", "empty"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 64, "HEIC"),
        (b"\0\0\0\x18ftypisom" + b"\0" * 64, "video"),
    ],
)
def test_not_an_image(tmp_path, data, hint):
    path = tmp_path / "portrait.jpg"
    path.write_bytes(data)
    with pytest.raises(_errors.ImageError, match="not an image") as caught:
        read_image(path)
    assert hint in caught.value.hint


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_decompression_bomb_is_refused_before_decoding(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, 8, 2, b"\0" * 1000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(_errors.ImageError, match="million pixels") as caught:
            read_image(path)
    assert "Scale" in caught.value.hint


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(_errors.ImageError, match="no file"):
        read_image(tmp_path / "absent.png")
    with pytest.raises(_errors.ImageError):
        read_image(tmp_path)


def test_write_refuses_what_is_no_picture(tmp_path, corner_picture):
    with pytest.raises(_errors.ImageError, match="names no picture format"):
        write_image(tmp_path / "a.xyz", corner_picture)
    with pytest.raises(ValueError, match="expected"):
        write_image(tmp_path / "a.png", corner_picture.astype(np.float32))
    with pytest.raises(ValueError, match="no pixels"):
        write_image(tmp_path / "a.png", corner_picture[:0])
    with pytest.raises(_errors.ExportError):
        write_image(tmp_path / "absent" / "a.png", corner_picture)
    assert not list(tmp_path.iterdir())


def test_jpeg_of_a_transparent_picture(tmp_path):
    write_image(tmp_path / "a.jpg", np.zeros((16, 16, 4), np.uint8))
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - 128).max() <= 2


def test_resize_does_not_alias():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize_image(stripes, 16, 8)
    assert small.shape == (8, 16, 3)
    assert np.abs(small.astype(int) - 127).max() <= 12
    assert resize_image(stripes[..., 0], 5, 5).shape == (5, 5)
    with pytest.raises(ValueError, match="0 x 5"):
        resize_image(stripes, 0, 5)
