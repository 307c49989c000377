"""Results of stages: kept privately, found again, mended, forgotten."""

from __future__ import annotations

import errno
import os
import sys
import time

import numpy as np
import pytest

import lifemask
from lifemask import CacheError, InputError
from lifemask._progress import no_progress
from lifemask.avatar import _stages_cache
from lifemask.avatar._stages import Stages, fingerprint, peak_mebibytes
from lifemask.avatar._stages_cache import RETENTION_DAYS, Cache, cache_directory, remove_old

ARRAYS = {"a": np.arange(5), "b": np.eye(2, dtype=np.float32)}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("LIFEMASK_CACHE", str(tmp_path / "cache"))
    return cache_directory()


def files(place):
    return sorted(path for path in place.rglob("*") if path.is_file())


def assert_same(found):
    assert found is not None
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_what_was_put_is_found():
    cache = Cache("ada")
    assert cache.get("stage", "1") is None
    cache.put("stage", "1", ARRAYS)
    assert_same(cache.get("stage", "1"))
    assert cache.get("stage", "2") is None
    assert cache.get("other", "1") is None


@pytest.mark.skipif(sys.platform == "win32", reason="platform: Windows has no modes")
def test_only_the_user_can_read_it(place):
    previous = os.umask(0)
    try:
        cache = Cache("ada")
        cache.put("stage", "1", ARRAYS)
        cache.keep_picture("frame-3", np.zeros((8, 8, 3), np.uint8))
    finally:
        os.umask(previous)
    assert {path.stat().st_mode & 0o777 for path in files(place)} == {0o600}
    folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "text"])
def test_damaged_result_is_as_good_as_none(place, how):
    cache = Cache("ada")
    cache.put("stage", "1", ARRAYS)
    path = place / "stage-1.npz"
    data = bytearray(path.read_bytes())
    if how == "flipped":
        data[len(data) // 2] ^= 1
    path.write_bytes({"flipped": data, "cut": data[:99], "empty": b"", "text": b"x" * 99}[how])
    assert cache.get("stage", "1") is None
    cache.put("stage", "1", ARRAYS)
    assert_same(cache.get("stage", "1"))


def test_pickle_in_a_result_is_not_read():
    cache = Cache("ada")
    with pytest.raises(ValueError, match=r"pickle|Object"):
        cache.put("stage", "1", {"a": np.array([object()], dtype=object)})
    assert cache.get("stage", "1") is None


def test_full_disk_says_so_and_leaves_nothing_half(place, monkeypatch):
    cache = Cache("ada")
    cache.put("early", "1", ARRAYS)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = files(place)
    monkeypatch.setattr(_stages_cache.os, "replace", full)
    with pytest.raises(CacheError, match="No space left") as caught:
        cache.put("late", "1", ARRAYS)
    assert str(place) in caught.value.hint
    assert files(place) == before
    monkeypatch.undo()
    monkeypatch.setenv("LIFEMASK_CACHE", str(place.parent))
    assert_same(Cache("ada").get("early", "1"))


def test_cache_that_cannot_be_made(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LIFEMASK_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError):
        Cache("ada")


def test_forget_removes_one_person(place):
    Cache("ada").put("stage", "1", ARRAYS)
    Cache("ada").put("shared", "3", ARRAYS)
    Cache("bob").put("stage", "2", ARRAYS)
    Cache("bob").put("shared", "3", ARRAYS)
    Cache("ada").keep_picture("frame-3", np.zeros((8, 8, 3), np.uint8))
    gone = lifemask.forget("ada")
    assert gone.names == ("ada",)
    assert gone.files == 3
    assert gone.size > 0
    assert {path.name for path in files(place) if path.parent == place} == {
        "stage-2.npz",
        "shared-3.npz",
    }
    with pytest.raises(InputError, match="nothing is cached of 'ada'") as caught:
        lifemask.forget("ada")
    assert "'bob'" in caught.value.hint


def test_forget_everyone(place):
    Cache("ada").put("stage", "1", ARRAYS)
    Cache("bob").put("stage", "2", ARRAYS)
    assert lifemask.forget(everything=True).names == ("ada", "bob")
    assert files(place) == []
    assert lifemask.forget(everything=True).files == 0


def test_forget_needs_a_name():
    with pytest.raises(InputError, match="whom") as caught:
        lifemask.forget()
    assert "--all" in caught.value.hint


def test_record_cannot_lead_out_of_the_cache(place, tmp_path):
    Cache("ada").put("stage", "1", ARRAYS)
    (tmp_path / "letter.txt").write_bytes(b"dear")
    (record,) = (place / "names").glob("*.json")
    record.write_bytes(b'{"name": "ada", "entries": ["../../letter.txt", "stage-1.npz"]}')
    assert lifemask.forget("ada").files == 2
    assert (tmp_path / "letter.txt").exists()


def test_what_was_not_used_for_long_is_removed(place):
    cache = Cache("ada")
    cache.put("old", "1", ARRAYS)
    cache.put("used", "1", ARRAYS)
    past = time.time() - (RETENTION_DAYS + 1) * 86400
    for name in ("old-1.npz", "used-1.npz"):
        os.utime(place / name, (past, past))
    assert cache.get("used", "1") is not None
    assert remove_old() == 1
    assert cache.get("old", "1") is None
    assert cache.get("used", "1") is not None


class Work:
    """Counts how often it is done."""

    def __init__(self):
        self.done = 0

    def __call__(self, told):
        self.done += 1
        told(0.5)
        return dict(ARRAYS)


def run(work, cache, key="1"):
    stages = Stages(no_progress, cache)
    result = stages.kept("count", ("count", key), work, dict, dict)
    return result, stages.costs[-1]


def test_stage_is_done_once():
    work = Work()
    (first, cost), (second, again) = run(work, Cache("ada")), run(work, Cache("ada"))
    assert_same(first)
    assert_same(second)
    assert work.done == 1
    assert (cost.resumed, again.resumed) == (False, True)
    run(work, Cache("ada"), key="2")
    assert work.done == 2


def test_without_a_cache_nothing_is_kept(place):
    work = Work()
    run(work, None)
    run(work, None)
    assert work.done == 2
    assert not place.exists()


def test_interrupted_stage_leaves_nothing(place):
    def work(told):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(work, Cache("ada"))
    assert [path for path in files(place) if path.suffix == ".npz"] == []


def test_result_of_another_shape_is_done_again():
    cache = Cache("ada")
    cache.put("count", "1", {"other": np.zeros(1)})
    work = Work()
    stages = Stages(no_progress, cache)
    stages.kept("count", ("count", "1"), work, dict, lambda arrays: {"a": arrays["a"]})
    assert work.done == 1
    assert_same(cache.get("count", "1"))


def test_fingerprint_changes_with_every_part():
    assert fingerprint(a=1, b="x") == fingerprint(b="x", a=1)
    assert len({fingerprint(a=1), fingerprint(a=2), fingerprint(b=1), fingerprint(a="1")}) == 4


def test_memory_of_a_stage_is_its_own():
    _, before = run(lambda told: dict(ARRAYS), None)
    _, large = run(lambda told: {"a": np.ones(40_000_000)}, None)
    assert large.peak_mebibytes > before.peak_mebibytes + 250
    assert peak_mebibytes() > 20
