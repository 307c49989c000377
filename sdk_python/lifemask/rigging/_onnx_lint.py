"""Checks that an ONNX file runs in every engine that avatars are made for.

Unity's importer and the ONNX runtimes inside Unreal read old opsets and a part of the operators;
what they do not know fails late, or runs and computes something else. Exporters in turn write
newer opsets than they were asked for. So what came out is checked, not what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lifemask._errors import ExportError, MissingExtraError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TypeProto, ValueInfoProto

OPSET: Final = 15
NEWEST_OPSET: Final = 17
"""Newer than `OPSET` is accepted as long as no operator in the file changed since."""

IR_VERSION: Final = 8
MAX_RANK: Final = 8

ALLOWED_OPERATORS: Final = frozenset(
    {
        "Abs", "Add", "AveragePool", "Cast", "Clip", "Concat", "Constant", "Conv",
        "ConvTranspose", "DepthToSpace", "Div", "Elu", "Exp", "Expand", "Flatten", "Gather",
        "Gemm", "GlobalAveragePool", "HardSigmoid", "HardSwish", "Identity",
        "InstanceNormalization", "LeakyRelu", "Log", "MatMul", "Max", "MaxPool", "Mean", "Min",
        "Mul", "Neg", "Pad", "Pow", "PRelu", "Reciprocal", "ReduceMax", "ReduceMean",
        "ReduceSum", "Relu", "Reshape", "Resize", "Selu", "Sigmoid", "Slice", "Softmax",
        "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh",
        "Transpose", "Unsqueeze",
    }
)  # fmt: skip
"""Known to compute the same in ONNX Runtime, Unity's Inference Engine and Unreal's NNE."""

_ALLOWED_ATTRIBUTES: Final[dict[str, dict[str, tuple[object, ...]]]] = {
    "AveragePool": {"ceil_mode": (0,)},
    "Cast": {"to": (1,)},
    "ConvTranspose": {"group": (1,), "output_shape": ()},
    "MaxPool": {"ceil_mode": (0,)},
    "Resize": {
        "mode": (b"nearest", b"linear"),
        "coordinate_transformation_mode": (
            b"half_pixel",
            b"pytorch_half_pixel",
            b"asymmetric",
            b"align_corners",
        ),
        "exclude_outside": (0,),
    },
}
"""Values that engines honour; others are ignored or replaced there without a word."""

_FLOAT: Final = 1
_INT64: Final = 7


class OnnxViolation(NamedTuple):
    """One reason why an engine may not run a model.

    Attributes:
        rule: Short name of the rule.
        place: Node, tensor or field.
        message: What is wrong and what is wanted.
    """

    rule: str
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.message}"


def lint_onnx(model: bytes | Path) -> tuple[OnnxViolation, ...]:
    """Return every violation in an ONNX file; empty when engines can run it.

    Args:
        model: Content of the file, or where it lies. External data is never read.

    Raises:
        MissingExtraError: The package `onnx` is not installed.
    """
    data = model.read_bytes() if isinstance(model, Path) else model
    parsed = _parse(data)
    if parsed is None:
        return (OnnxViolation("format", "file", "is not an ONNX model"),)
    try:
        return tuple(_violations(parsed))
    except UnicodeDecodeError:  # protobuf decodes texts only when they are read
        return (OnnxViolation("format", "file", "is a damaged ONNX model"),)


def check_onnx(model: bytes | Path, name: str) -> None:
    """Refuse a model that an engine may not run.

    Args:
        model: As for `lint_onnx`.
        name: What to call the model in the error.

    Raises:
        ExportError: There are violations; the message lists all of them.
        MissingExtraError: The package `onnx` is not installed.
    """
    if violations := lint_onnx(model):
        listed = "; ".join(map(str, violations))
        raise ExportError(
            f"{name!r} does not run in every engine: {listed}",
            hint=f"Export it with opset {OPSET}, static shapes and embedded weights.",
        )


def _violations(model: ModelProto) -> list[OnnxViolation]:
    found = [
        *_versions(model),
        *_operators(model),
        *_weights(model),
        *_interface(model.graph),
    ]
    # onnx's own checker would look for the external files.
    external = any(violation.rule == "external-data" for violation in found)
    return found if external else [*found, *_consistency(model)]


def _parse(data: bytes) -> ModelProto | None:
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError(
            "checking ONNX files needs the package 'onnx'",
            hint="pip install 'lifemask[train]'",
        ) from error
    from google.protobuf.message import DecodeError

    try:
        parsed = onnx.load_model_from_string(data)
    except DecodeError:
        return None
    return parsed if parsed.ir_version and parsed.opset_import else None


def _versions(model: ModelProto) -> Iterator[OnnxViolation]:
    if model.ir_version != IR_VERSION:
        yield OnnxViolation("ir", "ir_version", f"is {model.ir_version}, wanted {IR_VERSION}")
    for entry in model.opset_import:
        if entry.domain not in ("", "ai.onnx"):
            yield OnnxViolation("domain", entry.domain, "is no standard operator set")
        elif not OPSET <= entry.version <= NEWEST_OPSET:
            yield OnnxViolation("opset", "opset_import", f"is {entry.version}, wanted {OPSET}")
    for function in model.functions:
        yield OnnxViolation("domain", function.name, "is a function of the model's own")


def _operators(model: ModelProto) -> Iterator[OnnxViolation]:
    opset = max((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), default=0)
    for index, node in enumerate(model.graph.node):
        place = node.name or f"{node.op_type}[{index}]"
        if node.domain not in ("", "ai.onnx"):
            yield OnnxViolation("domain", place, f"{node.domain}.{node.op_type} is not standard")
        elif any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            yield OnnxViolation("control-flow", place, f"{node.op_type} runs a graph of its own")
        elif node.op_type not in ALLOWED_OPERATORS:
            yield OnnxViolation("operator", place, f"{node.op_type} is not known to every engine")
        else:
            yield from _changed_operator(node, place, opset)
            yield from _attributes(node, place)


def _changed_operator(node: NodeProto, place: str, opset: int) -> Iterator[OnnxViolation]:
    from onnx import defs

    if opset <= OPSET or opset > NEWEST_OPSET:
        return
    since = defs.get_schema(node.op_type, opset).since_version
    if since > OPSET:
        yield OnnxViolation("opset", place, f"{node.op_type} changed in opset {since}")


def _attributes(node: NodeProto, place: str) -> Iterator[OnnxViolation]:
    from onnx import helper

    rules = _ALLOWED_ATTRIBUTES.get(node.op_type, {})
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.name in rules and value not in rules[attribute.name]:
            shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            yield OnnxViolation("attribute", place, f"{attribute.name} = {shown} is not honoured")


def _weights(model: ModelProto) -> Iterator[OnnxViolation]:
    from onnx import TensorProto

    graph = model.graph
    constants = [(n.output[0], a.t) for n in graph.node for a in n.attribute if a.HasField("t")]
    for name, tensor in [(t.name, t) for t in graph.initializer] + constants:
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            yield OnnxViolation("external-data", name, "lies outside the file")
        if tensor.data_type not in (_FLOAT, _INT64):
            kind = TensorProto.DataType.Name(tensor.data_type)
            yield OnnxViolation("type", name, f"is {kind}, wanted FLOAT")
    for sparse in graph.sparse_initializer:
        yield OnnxViolation("type", sparse.values.name, "is sparse")


def _interface(graph: GraphProto) -> Iterator[OnnxViolation]:
    """Inputs and outputs: float32 tensors whose shapes are written down."""
    weights = {tensor.name for tensor in graph.initializer}
    for info in [i for i in graph.input if i.name not in weights] + list(graph.output):
        if info.type.WhichOneof("value") != "tensor_type":
            yield OnnxViolation("type", info.name, "is no tensor")
        elif info.type.tensor_type.elem_type != _FLOAT:
            yield OnnxViolation("type", info.name, "is not float32")
        yield from _shape(info)


def _shape(info: ValueInfoProto) -> Iterator[OnnxViolation]:
    sizes = _sizes(info.type)
    if sizes is None:
        yield OnnxViolation("shape", info.name, "has no static shape")
    elif len(sizes) > MAX_RANK:
        yield OnnxViolation("shape", info.name, f"has {len(sizes)} axes, at most {MAX_RANK}")


def _sizes(kind: TypeProto) -> list[int] | None:
    """Return the size of every axis; None where one of them is open."""
    if not kind.tensor_type.HasField("shape"):
        return None
    axes = kind.tensor_type.shape.dim
    if any(axis.WhichOneof("value") != "dim_value" or axis.dim_value <= 0 for axis in axes):
        return None
    return [axis.dim_value for axis in axes]


def _consistency(model: ModelProto) -> Iterator[OnnxViolation]:
    """What only onnx itself can tell: validity, and the shapes between the nodes."""
    import onnx

    try:
        onnx.checker.check_model(model)
        inferred: Any = onnx.shape_inference.infer_shapes(
            model, check_type=True, strict_mode=True, data_prop=True
        )
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        first_line = str(error).strip().splitlines()[0]
        yield OnnxViolation("invalid", "model", first_line)
        return
    known = {info.name: info for info in inferred.graph.value_info}
    known |= {info.name: info for info in inferred.graph.output}
    for node in inferred.graph.node:
        for name in filter(None, node.output):
            if name not in known:
                yield OnnxViolation("shape", name, "has no static shape")
            elif all(info.name != name for info in model.graph.output):
                yield from _shape(known[name])
