"""The ONNX lint, on models made by hand: one good one, and one for each way to be bad."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lifemask import ExportError
from lifemask.rigging import check_onnx, lint_onnx

onnx = pytest.importorskip("onnx", reason="needs onnx; pip install 'lifemask[train]'")
helper, FLOAT, INT64 = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def _value(name: str, shape: list, kind: int = FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def _weight(name: str, array: np.ndarray):
    return onnx.numpy_helper.from_array(array, name)


def _model(nodes, weights=(), *, inputs=None, outputs=None, opset=15, ir=8, domains=()):
    graph = helper.make_graph(
        nodes,
        "test",
        inputs or [_value("x", [1, 3, 8, 8])],
        outputs or [_value("y", [1, 3, 8, 8])],
        list(weights),
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, ir_version=ir, opset_imports=opsets)


def _network(**options):
    """Two convolutions with an upsampling between them."""
    weight = np.ones((3, 3, 3, 3), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Resize", ["b", "", "s"], ["c"], mode="linear"),
        helper.make_node("Conv", ["c", "w"], ["y"], pads=[1, 1, 1, 1], strides=[2, 2]),
    ]
    scales = np.array([1, 1, 2, 2], np.float32)
    return _model(nodes, [_weight("w", weight), _weight("s", scales)], **options)


def _one_node(op: str, **attributes):
    return _model([helper.make_node(op, ["x"], ["y"], **attributes)])


def _rules(model) -> set[str]:
    return {violation.rule for violation in lint_onnx(model.SerializeToString())}


def test_good_network_passes(tmp_path):
    path = tmp_path / "good.onnx"
    path.write_bytes(_network().SerializeToString())
    assert lint_onnx(path) == ()
    check_onnx(path, "good")


def test_newer_opset_passes_while_no_operator_changed():
    assert _rules(_network(opset=17)) == set()
    leaky = _model([helper.make_node("LeakyRelu", ["x"], ["y"])], opset=17)
    assert _rules(leaky) == {"opset"}
    assert _rules(_model([helper.make_node("LeakyRelu", ["x"], ["y"])])) == set()


@pytest.mark.parametrize("opset", [14, 18, 20])
def test_other_opset(opset):
    assert "opset" in _rules(_network(opset=opset))


@pytest.mark.parametrize("ir", [7, 10])
def test_other_ir(ir):
    assert _rules(_network(ir=ir)) == {"ir"}


@pytest.mark.parametrize(
    ("node", "rule"),
    [
        (helper.make_node("Erf", ["x"], ["y"]), "operator"),
        (helper.make_node("Hardmax", ["x"], ["y"]), "operator"),
        (helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[1, 1], ceil_mode=1), "attribute"),
        (helper.make_node("Cast", ["x"], ["y"], to=FLOAT), None),
    ],
)
def test_operators_and_attributes(node, rule):
    assert _rules(_model([node])) == ({rule} if rule else set())


def test_cubic_resize():
    model = _network()
    model.graph.node[2].attribute[0].CopyFrom(helper.make_attribute("mode", "cubic"))
    assert _rules(model) == {"attribute"}


def test_grouped_transposed_convolution():
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], group=3, kernel_shape=[1, 1])
    model = _model([node], [_weight("w", np.ones((3, 1, 1, 1), np.float32))])
    assert _rules(model) == {"attribute"}


def test_control_flow():
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "branch", [],
                               [_value("z", [1, 3, 8, 8])])  # fmt: skip
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    model = _model([node], [_weight("c", np.array(True))])
    assert {"control-flow", "type"} <= _rules(model)


def test_custom_domain():
    node = helper.make_node("FusedConv", ["x"], ["y"], domain="com.example")
    assert _rules(_model([node], domains=["com.example"])) >= {"domain"}


@pytest.mark.parametrize("shape", [["batch", 3, 8, 8], [None, 3, 8, 8], None])
def test_open_shape(shape):
    model = _model(
        [helper.make_node("Relu", ["x"], ["y"])],
        inputs=[_value("x", shape)],
        outputs=[_value("y", shape)],
    )
    assert "shape" in _rules(model)


def test_open_shape_between_nodes():
    """The interface is static, but one node's output depends on values."""
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["a"]),
        helper.make_node("Reshape", ["a", "back"], ["y"]),
    ]
    model = _model(
        nodes,
        [_weight("back", np.array([1, 3, 8, 8]))],
        inputs=[_value("x", [1, 3, 8, 8]), _value("shape", [2], INT64)],
    )
    assert _rules(model) == {"shape", "type"}


def test_half_precision_weights_and_interface():
    weight = np.ones((3, 3, 1, 1), np.float16)
    half = onnx.TensorProto.FLOAT16
    model = _model(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        [_weight("w", weight)],
        inputs=[_value("x", [1, 3, 8, 8], half)],
        outputs=[_value("y", [1, 3, 8, 8], half)],
    )
    places = {violation.place for violation in lint_onnx(model.SerializeToString())}
    assert places == {"w", "x", "y"}


def test_external_data():
    model = _network()
    onnx.external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0
    )
    for tensor in model.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
    assert _rules(model) == {"external-data"}


def test_all_violations_are_reported_at_once():
    model = _model(
        [helper.make_node("Erf", ["x"], ["y"])],
        inputs=[_value("x", ["n", 3, 8, 8])],
        opset=20,
        ir=10,
    )
    data = model.SerializeToString()
    assert _rules(model) == {"ir", "opset", "operator", "shape"}
    with pytest.raises(ExportError) as caught:
        check_onnx(data, "regression")
    assert all(str(violation) in str(caught.value) for violation in lint_onnx(data))
    assert caught.value.hint


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x89PNG\r\n\x1a\n", bytes(100)])
def test_not_a_model(data):
    assert [violation.rule for violation in lint_onnx(data)] == ["format"]


@hypothesis.given(st.integers(0), st.binary(max_size=8), st.integers(0, 8))
def test_damaged_models_are_reported_not_raised(position, inserted, removed):
    data = _network().SerializeToString()
    position %= len(data)
    damaged = data[:position] + inserted + data[position + removed :]
    assert all(isinstance(violation.message, str) for violation in lint_onnx(damaged))


def test_invalid_graph():
    model = _model([helper.make_node("Add", ["x", "missing"], ["y"])])
    assert _rules(model) == {"invalid"}
