"""From pictures to a package: the portrait that ships, and inputs that are not so good."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import lifemask
from lifemask import (
    Avatar,
    Consent,
    FaceCutError,
    ImageError,
    InputError,
    NoFaceError,
    SeveralFacesError,
    VideoError,
    load_head_model,
)
from lifemask.avatar._evidence import read_photo
from lifemask.geometry import (
    Pose,
    TruncatedVideoWarning,
    VideoWriter,
    read_image,
    resize_image,
    write_image,
)
from lifemask.heads import JOINT_NAMES
from lifemask.rendering import render
from lifemask.rigging import align_to_landmarks
from lifemask.tracking import FACE_POINTS, FaceLandmarker, fit_photo, landmark_error
from packages import unzip
from video_files import cut, index_first

pytestmark = pytest.mark.needs("landmarker")

PORTRAIT = Path(lifemask.__file__).parent / "data" / "portrait.jpg"
OUTER_CORNERS = (33, 263)


@functools.cache
def portrait(size: int = 512) -> np.ndarray:
    return resize_image(read_image(PORTRAIT), size, size)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("LIFEMASK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The portrait's package."""
    path = tmp_path_factory.mktemp("built") / "ada.lifemask"
    lifemask.build(PORTRAIT, path, name="ada", texture_size=1024)
    return path


@pytest.fixture
def photo(tmp_path) -> Path:
    write_image(tmp_path / "photo.png", portrait())
    return tmp_path / "photo.png"


def quick(inputs, output=None, **options) -> Avatar:
    return lifemask.build(inputs, output, texture_size=256, name="ada", **options)


def assert_same_avatar(one: Avatar, other: Avatar) -> None:
    np.testing.assert_array_equal(one.head.neutral, other.head.neutral)
    np.testing.assert_array_equal(one.textures["albedo"], other.textures["albedo"])
    assert one.manifest.metrics == other.manifest.metrics


def film(path: Path, frames: list[np.ndarray]) -> Path:
    with VideoWriter(path, frames[0].shape[1], frames[0].shape[0], 25.0) as video:
        for frame in frames:
            video.write(frame)
    return path


def moving_portrait(count: int) -> list[np.ndarray]:
    """Return frames in which the portrait drifts and grows a little."""
    wide = portrait(448)
    frames = []
    for index in range(count):
        matrix = np.array([[1 + 0.004 * index, 0, -index], [0, 1 + 0.004 * index, -0.5 * index]])
        frames.append(
            np.asarray(cv2.warpAffine(wide, matrix, (448, 448), borderMode=cv2.BORDER_REPLICATE))
        )
    return frames


def test_package_loads_and_tells_how_well_it_fits(built):
    avatar = Avatar.load(built)
    metrics = avatar.manifest.metrics
    assert metrics["pictures"] == metrics["texture_pictures"] == 1
    assert 0 < metrics["landmark_error_interocular_median"] < 0.013
    assert 0.2 < metrics["texture_seen_share"] < 0.8
    assert metrics["focal_length_px"] > 500
    assert avatar.name == "ada"
    assert len(avatar.manifest.identity) == load_head_model().mode_count
    assert avatar.textures["albedo"].shape == (1024, 1024, 4)
    assert avatar.textures["orm"].shape == (512, 512, 3)
    assert avatar.preview is not None
    assert min(avatar.preview.shape[:2]) >= 200
    assert avatar.manifest.licenses
    assert metrics["dynamic_generic"] is True
    assert json.loads(avatar.dynamics["key"].to_files()["key.json"])["generic"] is True
    assert built.stat().st_size <= 15e6
    assert {"manifest.json", "head.npz", "avatar.glb"} <= unzip(built.read_bytes()).keys()


def test_pupils_are_as_far_apart_as_was_said(built, photo):
    for avatar, metres in (
        (Avatar.load(built), 0.063),
        (quick(photo, pupil_distance=0.058), 0.058),
    ):
        joints = avatar.head.joints
        eyes = [joints[JOINT_NAMES.index(name)] for name in ("EyeLeft", "EyeRight")]
        assert np.linalg.norm(eyes[0] - eyes[1]) == pytest.approx(metres, abs=1e-5)


@pytest.mark.parametrize("metres", [0.0, 0.63, -0.063, float("nan")])
def test_impossible_pupil_distance_is_refused_at_once(photo, metres):
    seen = []
    with pytest.raises(InputError, match="pupil distance"):
        quick(photo, pupil_distance=metres, progress=lambda *stage: seen.append(stage))
    assert seen == []


def test_avatar_looks_like_the_person(built):
    """The landmarker sees the person's face in a picture of the avatar taken the same way."""
    avatar, image = Avatar.load(built), read_image(PORTRAIT)
    with FaceLandmarker() as landmarker:
        (face,) = landmarker.detect(image)
        model = load_head_model()
        fit = fit_photo(face, model)
        eyes = [JOINT_NAMES.index(name) for name in ("EyeLeft", "EyeRight")]
        plain = align_to_landmarks(model.head(fit.identity), [fit]).joints[eyes]
        size = 0.063 / np.linalg.norm(plain[0] - plain[1])
        head = avatar.head
        picture = render(
            head,
            avatar.textures,
            vertices=head.vertices(fit.coefficients, gaze=fit.gaze),
            pose=Pose(fit.pose.rotation, size * fit.pose.translation),
            camera=fit.camera,
            light=None,
        )
        (again,) = landmarker.detect(picture)
    apart = np.linalg.norm(again.pixels - face.pixels, axis=1)[:FACE_POINTS]
    unit = np.linalg.norm(np.subtract(*face.pixels[list(OUTER_CORNERS)]))
    assert apart.mean() / unit < 0.025
    skin = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(skin, cv2.convexHull(face.pixels[:FACE_POINTS].astype(np.int32)), 1)
    off = np.abs(picture.astype(int) - image.astype(int))[skin > 0]
    assert np.median(off) < 25


def test_head_follows_the_portraits_landmarks(built):
    model = load_head_model()
    with FaceLandmarker() as landmarker:
        (face,) = landmarker.detect(read_image(PORTRAIT))
    fit = fit_photo(face, model)
    head = align_to_landmarks(model.head(fit.identity), [fit])
    points = head.landmarks(head.vertices(fit.coefficients)).astype(np.float64)
    assert landmark_error(points, face.pixels, fit.pose, fit.camera) < 0.005


def test_same_photo_gives_the_same_bytes(photo, tmp_path):
    for name in ("one", "two"):
        quick(photo, tmp_path / f"{name}.lifemask")
    assert (tmp_path / "one.lifemask").read_bytes() == (tmp_path / "two.lifemask").read_bytes()


def test_folder_holds_the_same_files_as_the_package(photo, tmp_path):
    quick(photo, tmp_path / "one.lifemask")
    quick(photo, tmp_path / "folder", unpacked=True)
    files = unzip((tmp_path / "one.lifemask").read_bytes())
    folder = tmp_path / "folder"
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert found == files


def test_name_comes_from_the_file_and_consent_is_kept(photo):
    consent = Consent(subject="Ada Example", purpose="tests")
    avatar = lifemask.build(photo, texture_size=256, consent=consent)
    assert avatar.name == "photo"
    assert avatar.manifest.consent == consent
    assert not list(photo.parent.glob("*.lifemask"))


def test_progress_names_every_stage_and_rises(photo, tmp_path):
    told: list[tuple[str, float]] = []
    quick(photo, tmp_path / "a.lifemask", progress=lambda *stage: told.append(stage))
    stages = list(dict.fromkeys(stage for stage, _ in told))
    assert len(stages) >= 5
    for stage in stages:
        shares = [share for name, share in told if name == stage]
        assert shares == sorted(shares)
        assert shares[0] >= 0
        assert shares[-1] == 1


def test_several_photos_share_one_identity(photo, tmp_path):
    write_image(tmp_path / "mirror.png", portrait(448)[:, ::-1])
    both = quick([photo, tmp_path / "mirror.png"])
    assert both.manifest.metrics["pictures"] == 2
    assert both.manifest.metrics["landmark_error_interocular_median"] < 0.013
    alone = quick(photo)
    # Of one half of the pictures each side is the other one's: the head comes out symmetric.
    mirror = both.head.topology.mirror
    lopsided = [
        np.abs(h.neutral[mirror] * [-1, 1, 1] - h.neutral).mean() for h in (both.head, alone.head)
    ]
    assert lopsided[0] < lopsided[1]


def save_as(picture: np.ndarray, path: Path, kind: str) -> Path:
    if kind == "16 bits":
        cv2.imwrite(str(path), picture[..., ::-1].astype(np.uint16) * 257)
    elif kind == "opaque alpha":
        full = np.full((*picture.shape[:2], 1), 255, np.uint8)
        Image.fromarray(np.concatenate([picture, full], axis=2)).save(path)
    elif kind == "palette of grey":
        Image.fromarray(picture).convert("L").convert("P").save(path)
    return path


@pytest.mark.parametrize("kind", ["16 bits", "opaque alpha"])
def test_other_kinds_of_png_give_the_same_avatar(photo, tmp_path, kind):
    other = save_as(portrait(), tmp_path / "other.png", kind)
    assert_same_avatar(quick(other), quick(photo))


def test_grey_picture_builds(tmp_path):
    grey = quick(save_as(portrait(), tmp_path / "grey.png", "palette of grey"))
    albedo = grey.textures["albedo"][..., :3].astype(int)
    middle = albedo[60:150, 60:190]
    assert np.median(np.ptp(middle, axis=2)) <= 6


def test_cut_out_photo_builds_without_its_backdrop(tmp_path):
    """A portrait on a transparent ground: what shows through must not colour the head."""
    picture = portrait()
    with FaceLandmarker() as landmarker:
        (face,) = landmarker.detect(picture)
    left, top, right, bottom = face.box
    y, x = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    inside = ((x - (left + right) / 2) / (0.72 * (right - left))) ** 2 + (
        (y - (top + bottom) / 2) / (0.85 * (bottom - top))
    ) ** 2 < 1
    rgba = np.dstack([picture, (255 * inside).astype(np.uint8)])
    rgba[~inside, :3] = (0, 0, 255)
    Image.fromarray(rgba).save(tmp_path / "cut.png")
    albedo = quick(tmp_path / "cut.png").textures["albedo"].astype(int)
    assert (albedo[..., 2] - albedo[..., :2].max(axis=2)).max() < 60


def test_photo_turned_by_its_header_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(portrait()).rotate(90, expand=True)
    stored.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    upright = read_image(tmp_path / "turned.jpg")
    write_image(tmp_path / "upright.png", upright)
    assert np.abs(upright.astype(int) - portrait().astype(int)).mean() < 3
    assert_same_avatar(quick(tmp_path / "turned.jpg"), quick(tmp_path / "upright.png"))


def two_faces() -> np.ndarray:
    """Return the portrait, and a smaller mirrored one to its right."""
    picture = np.full((512, 1024, 3), 120, np.uint8)
    picture[:, :512] = portrait()
    picture[80:480, 568:968] = portrait(400)[:, ::-1]
    return picture


@pytest.mark.parametrize(
    ("choice", "left"), [("left", True), ("largest", True), ("right", False), (1, True), (2, False)]
)
def test_choice_of_a_face(tmp_path, choice, left):
    write_image(tmp_path / "two.png", two_faces())
    with FaceLandmarker() as landmarker:
        photo = read_photo(tmp_path / "two.png", landmarker, choice)
    x0, _, x1, _ = photo.face.box
    assert (x1 < 512) == left
    assert (x0 > 512) == (not left)


def half_a_face() -> np.ndarray:
    with FaceLandmarker() as landmarker:
        (face,) = landmarker.detect(portrait())
    left, _, right, _ = face.box
    return portrait()[:, int(left + 0.3 * (right - left)) :]


def small_face() -> np.ndarray:
    picture = np.full((512, 512, 3), 128, np.uint8)
    picture[216:296, 216:296] = portrait(80)
    return picture


@pytest.mark.parametrize(
    ("picture", "error", "says"),
    [
        (lambda: np.full((300, 300, 3), 128, np.uint8), NoFaceError, "no face"),
        (two_faces, SeveralFacesError, "2 faces"),
        (half_a_face, (FaceCutError, NoFaceError), "border|no face"),
        (small_face, InputError, "only|no face"),
    ],
    ids=["no face", "two faces", "a face that is cut", "a small face"],
)
def test_pictures_that_cannot_be_used(tmp_path, picture, error, says):
    write_image(tmp_path / "bad.png", picture())
    target = tmp_path / "out" / "bad.lifemask"
    target.parent.mkdir()
    with pytest.raises(error, match=says) as caught:
        quick(tmp_path / "bad.png", target)
    assert "bad.png" in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 3
    assert list(target.parent.iterdir()) == []


def test_two_faces_say_how_to_choose(tmp_path):
    write_image(tmp_path / "two.png", two_faces())
    with pytest.raises(SeveralFacesError) as caught:
        quick(tmp_path / "two.png")
    assert "--face" in caught.value.hint
    with pytest.raises(NoFaceError, match="number 3"):
        quick(tmp_path / "two.png", face=3)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("notes.jpg", b"this is not a picture", ImageError),
        ("empty.png", b"", ImageError),
        ("half.jpg", PORTRAIT.read_bytes()[:300], ImageError),
        ("notes.mp4", b"this is not a film", VideoError),
        ("empty.webm", b"", VideoError),
    ],
)
def test_files_that_are_something_else(tmp_path, name, content, error):
    (tmp_path / name).write_bytes(content)
    target = tmp_path / "out" / "bad.lifemask"
    target.parent.mkdir()
    with pytest.raises(error) as caught:
        quick(tmp_path / name, target)
    assert name in str(caught.value)
    assert list(target.parent.iterdir()) == []


def test_missing_inputs(tmp_path):
    with pytest.raises(InputError, match="nothing to build from"):
        quick([])
    with pytest.raises(InputError, match="no file"):
        quick(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match="no file"):
        quick([PORTRAIT, tmp_path / "nowhere.jpg"])
    with pytest.raises(InputError, match="no file"):
        quick(tmp_path)


def test_failed_build_leaves_the_older_package_alone(tmp_path):
    target = tmp_path / "ada.lifemask"
    target.write_bytes(b"older")
    write_image(tmp_path / "bad.png", np.full((300, 300, 3), 128, np.uint8))
    with pytest.raises(NoFaceError):
        quick(tmp_path / "bad.png", target)
    assert target.read_bytes() == b"older"
    assert {path.name for path in tmp_path.iterdir()} == {"ada.lifemask", "bad.png"}


@pytest.mark.slow
def test_video_builds_from_its_frames(tmp_path):
    path = film(tmp_path / "me.mp4", moving_portrait(14))
    avatar = quick(path)
    metrics = avatar.manifest.metrics
    assert 2 <= metrics["pictures"] <= 14
    assert metrics["landmark_error_interocular_median"] < 0.015
    assert_same_avatar(avatar, quick(path))


@pytest.mark.slow
def test_video_that_ends_early_builds_from_what_is_there(tmp_path):
    path = film(tmp_path / "me.mp4", moving_portrait(24))
    index_first(path)
    cut(path, 0.6)
    with pytest.warns(TruncatedVideoWarning, match="ends after"):
        avatar = quick(path)
    assert avatar.manifest.metrics["landmark_error_interocular_median"] < 0.015


def test_video_without_a_face(tmp_path):
    path = film(tmp_path / "wall.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 8)
    with pytest.raises(NoFaceError, match=r"wall\.mp4: no face was found in any frame") as caught:
        quick(path, tmp_path / "a.lifemask")
    assert caught.value.hint
    assert not (tmp_path / "a.lifemask").exists()


def test_photos_and_videos_make_one_person(photo, tmp_path):
    path = film(tmp_path / "me.mp4", moving_portrait(3))
    metrics = quick([path, photo, path]).manifest.metrics
    assert metrics["clips"] == 2
    assert 3 <= metrics["pictures"] <= 7
    assert metrics["landmark_error_interocular_median"] < 0.015


def test_only_named_frames_are_looked_at(tmp_path):
    black = np.zeros((448, 448, 3), np.uint8)
    path = film(tmp_path / "me.mp4", [black, *moving_portrait(3), black])
    assert quick([path], frames={0: [1, 3]}).manifest.metrics["pictures"] == 2
    with pytest.raises(NoFaceError):
        quick([path], frames={0: [0, 4]})


def test_frames_of_what_has_none_are_refused(photo, tmp_path):
    path = film(tmp_path / "me.mp4", moving_portrait(3))
    for frames in ({0: [0]}, {2: [0]}, {1: []}, {1: [-1]}, {-1: [0]}):
        with pytest.raises(InputError) as caught:
            quick([photo, path], frames=frames)
        assert caught.value.hint
