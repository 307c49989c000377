"""The builder's arrays come back, and the library's two traps stay closed."""

from __future__ import annotations

import numpy as np

from glb_file import GlbFile
from lifemask_exporters._glb_builder import GlbBuilder


def _builder() -> GlbBuilder:
    return GlbBuilder(generator="me", copyright="nobody", extras={"a": {"b": "c"}})


def _written(builder: GlbBuilder) -> GlbFile:
    return GlbFile(builder.to_bytes([builder.add_node("root")], "scene"))


def test_asset_is_ours():
    asset = _written(_builder()).json["asset"]
    assert asset["version"] == "2.0"
    assert asset["generator"] == "me"
    assert asset["copyright"] == "nobody"
    assert asset["extras"] == {"a": {"b": "c"}}


def test_arrays_of_all_types_come_back():
    rng = np.random.default_rng(0)
    arrays = [
        rng.integers(0, 200, (7, 4)).astype(np.uint8),
        rng.integers(0, 60_000, 5).astype(np.uint16),
        rng.integers(0, 2**31, 3).astype(np.uint32),
        rng.standard_normal((5, 3)).astype(np.float32),
        rng.standard_normal((9, 2)).astype(np.float32),
    ]
    builder = _builder()
    indices = [builder.add_accessor(array, bounds=True) for array in arrays]
    file = _written(builder)
    for index, array in zip(indices, arrays, strict=True):
        np.testing.assert_array_equal(file.accessor(index), array.reshape(len(array), -1))
        entry = file.json["accessors"][index]
        np.testing.assert_array_equal(entry["min"], np.atleast_1d(array.min(axis=0)))
        np.testing.assert_array_equal(entry["max"], np.atleast_1d(array.max(axis=0)))
        assert file.json["bufferViews"][entry["bufferView"]]["byteOffset"] % 4 == 0


def test_matrices_are_stored_by_columns():
    matrix = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    builder = _builder()
    index = builder.add_accessor(matrix)
    np.testing.assert_array_equal(_written(builder).accessor(index)[0], matrix[0].T.ravel())


def test_sparse_arrays_come_back_without_an_offset():
    array = np.zeros((50, 3), np.float32)
    rows = np.array([3, 17, 49])
    array[rows] = [[1, 2, 3], [-1, 0, 0], [0, 0, 9]]
    builder = _builder()
    index = builder.add_sparse_accessor(array, builder.add_index_view(rows), bounds=True)
    file = _written(builder)
    np.testing.assert_array_equal(file.accessor(index), array)
    entry = file.json["accessors"][index]
    assert "bufferView" not in entry
    assert "byteOffset" not in entry
    assert (entry["min"], entry["max"]) == ([-1, 0, 0], [1, 2, 9])


def test_large_meshes_get_large_indices():
    builder = _builder()
    view, small = builder.add_index_view(np.array([5, 65_535]))
    assert small.dtype == np.uint16
    view, large = builder.add_index_view(np.array([5, 65_536]))
    assert large.dtype == np.uint32
    assert _written(builder).view(view) == large.tobytes()
