"""Small graphs as they are made elsewhere: every kind of input, output, shape, type and container that files have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

Value = onnx.ValueInfoProto
Nodes = list[onnx.NodeProto]
Shape = Sequence[int | str | None] | None
N: list[int | str | None] = ["n"]
ML = "ai.onnx.ml"


def tensor(name: str, kind: int, shape: Shape) -> Value:
    return h.make_tensor_value_info(name, kind, shape)


def container(name: str, wrap: Callable[[Any], Any], kind: int = T.FLOAT, shape: Shape = ("n",)) -> Value:
    return h.make_value_info(name, wrap(h.make_tensor_type_proto(kind, shape)))


def model(
    nodes: Nodes,
    inputs: list[Value],
    outputs: list[Value],
    *,
    constants: Any = (),
    opset: int = 20,
    ir: int = 9,
    **more: Any,
) -> onnx.ModelProto:
    graph = h.make_graph(nodes, "g", inputs, outputs, list(constants))
    opsets = [h.make_opsetid("", opset), h.make_opsetid(ML, 4), *more.pop("opsets", ())]
    return h.make_model(graph, opset_imports=opsets, ir_version=ir, **more)


def same(kind: int, shape: Shape, out: Shape = ("n",), name: str = "x") -> onnx.ModelProto:
    """Give back what came in."""
    return model([h.make_node("Identity", [name], ["y"])], [tensor(name, kind, shape)], [tensor("y", kind, out)])


def constant(name: str, value: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


FLOATS = ["n", 2]
TYPES = {"float": T.FLOAT, "double": T.DOUBLE, "float16": T.FLOAT16, "bool": T.BOOL, "string": T.STRING} | {
    f"{sign}int{bits}": getattr(T, f"{sign}int{bits}".upper()) for sign in ("", "u") for bits in (8, 16, 32, 64)
}
ODD_TYPES = {
    "bfloat16": T.BFLOAT16, "float8": T.FLOAT8E4M3FN, "int4": T.INT4, "uint4": T.UINT4, "complex64": T.COMPLEX64,
}  # fmt: skip


def zoo() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Yield name and graph."""
    yield from _types()
    yield from _shapes()
    yield from _containers()
    yield from _texts()
    yield from _outputs()
    yield from _control()
    yield from _names()
    yield from _odd()


def _types() -> Iterator[tuple[str, onnx.ModelProto]]:
    for name, kind in TYPES.items():
        yield f"rows of {name}", same(kind, N)
        yield f"a single {name}", same(kind, [], [])
    for name, kind in ODD_TYPES.items():
        yield f"rows of {name}", same(kind, N)
    for name, kind in (("float16", T.FLOAT16), ("bfloat16", T.BFLOAT16)):
        inner = [h.make_node("Cast", ["x"], ["c"], to=kind), h.make_node("Cast", ["c"], ["y"], to=T.FLOAT)]
        yield f"{name} inside", model(inner, [tensor("x", T.FLOAT, N)], [tensor("y", T.FLOAT, N)])
        cast = [h.make_node("Cast", ["x"], ["y"], to=kind)]
        yield f"{name} as answer", model(cast, [tensor("x", T.FLOAT, N)], [tensor("y", kind, N)])


def _shapes() -> Iterator[tuple[str, onnx.ModelProto]]:
    rate = [h.make_node("Cast", ["rate"], ["f"], to=T.FLOAT), h.make_node("Div", ["x", "f"], ["y"])]
    x, y = tensor("x", T.FLOAT, FLOATS), tensor("y", T.FLOAT, FLOATS)
    yield "rows and a single number", model(rate, [x, tensor("rate", T.INT64, [])], [y])
    yield "a single number and rows", model(rate, [tensor("rate", T.INT64, []), x], [y])
    total = [h.make_node("ReduceSum", ["x"], ["y"], keepdims=0)]
    yield "one number for all rows", model(total, [x], [tensor("y", T.FLOAT, [])])
    yield "no shape at all", same(T.FLOAT, None, None)
    yield "an empty name for a size", same(T.FLOAT, ["", None, 2], ["", None, 2])
    yield "a size that is zero", same(T.FLOAT, [0], [0])
    yield "no rows ever", same(T.FLOAT, ["n", 0], ["n", 0])
    yield "a fixed number of rows", same(T.FLOAT, [4, 2], [4, 2])
    yield "one row at a time", same(T.FLOAT, [1, 2], [1, 2])
    yield "free in the middle", same(T.FLOAT, [1, "t", 3], [1, "t", 3])
    yield "all free", same(T.FLOAT, ["a", "b", "c"], ["a", "b", "c"])
    yield "eight dimensions", same(T.FLOAT, ["n", *[1] * 7], ["n", *[1] * 7])
    yield "nine dimensions", same(T.FLOAT, ["n", *[1] * 8], ["n", *[1] * 8])
    late = [h.make_node("Transpose", ["x"], ["y"], perm=[1, 0])]
    yield "rows last", model(late, [tensor("x", T.FLOAT, [2, "n"])], [tensor("y", T.FLOAT, FLOATS)])
    both = [h.make_node("MatMul", ["a", "b"], ["y"])]
    yield (
        "sizes that depend on each other",
        model(
            both,
            [tensor("a", T.FLOAT, ["n", "k"]), tensor("b", T.FLOAT, ["k", "m"])],
            [tensor("y", T.FLOAT, ["n", "m"])],
        ),
    )
    found = [h.make_node("NonZero", ["x"], ["y"])]
    yield "an answer of any size", model(found, [tensor("x", T.FLOAT, N)], [tensor("y", T.INT64, [1, "k"])])
    empty = [h.make_node("Slice", ["x", "zero", "zero"], ["y"])]
    yield (
        "an answer without rows",
        model(
            empty, [tensor("x", T.FLOAT, N)], [tensor("y", T.FLOAT, ["k"])], constants=[constant("zero", np.array([0]))]
        ),
    )
    wide = [h.make_node("Add", ["x", "x"], ["y"])]
    yield "a declared shape that is not true", model(wide, [tensor("x", T.FLOAT, N)], [tensor("y", T.FLOAT, [7])])


def _containers() -> Iterator[tuple[str, onnx.ModelProto]]:
    sequence, optional = h.make_sequence_type_proto, h.make_optional_type_proto
    x, y = tensor("x", T.FLOAT, N), tensor("y", T.FLOAT, N)
    at = [h.make_node("SequenceAt", ["x", "i"], ["y"])]
    yield "a sequence in", model(at, [container("x", sequence)], [y], constants=[constant("i", np.int64(0))])
    made = [h.make_node("SequenceConstruct", ["x", "x"], ["y"])]
    yield "a sequence out", model(made, [x], [container("y", sequence)])
    inside = [h.make_node("SequenceConstruct", ["x", "x"], ["s"]), h.make_node("SequenceAt", ["s", "i"], ["y"])]
    yield "a sequence inside", model(inside, [x], [y], constants=[constant("i", np.int64(1))])
    has = [h.make_node("OptionalHasElement", ["x"], ["y"])]
    yield "an optional in", model(has, [container("x", optional)], [tensor("y", T.BOOL, [])])
    beside = [*has, h.make_node("Identity", ["z"], ["w"])]
    yield (
        "an optional in beside rows",
        model(
            beside,
            [container("x", optional), tensor("z", T.FLOAT, N)],
            [tensor("y", T.BOOL, []), tensor("w", T.FLOAT, N)],
        ),
    )
    yield "an optional out", model([h.make_node("Optional", ["x"], ["y"])], [x], [container("y", optional)])
    map_in = h.make_value_info("x", h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, [])))
    vector = [h.make_node("DictVectorizer", ["x"], ["y"], domain=ML, string_vocabulary=["a", "b"])]
    yield "a map in", model(vector, [map_in], [tensor("y", T.FLOAT, [1, 2])])
    maps = h.make_sequence_type_proto(h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, [])))
    zipped = [h.make_node("ZipMap", ["x"], ["y"], domain=ML, classlabels_strings=["no", "yes"])]
    yield "a map of classes for each row", model(zipped, [tensor("x", T.FLOAT, FLOATS)], [h.make_value_info("y", maps)])
    numbered = h.make_sequence_type_proto(h.make_map_type_proto(T.INT64, h.make_tensor_type_proto(T.FLOAT, [])))
    zipped = [h.make_node("ZipMap", ["x"], ["y"], domain=ML, classlabels_int64s=[-1, 1])]
    yield "a map of numbered classes", model(zipped, [tensor("x", T.FLOAT, FLOATS)], [h.make_value_info("y", numbered)])
    old = model([h.make_node("Mul", ["x", "w"], ["y"])], [x, tensor("w", T.FLOAT, [1])], [y],
                constants=[constant("w", np.float32([2]))], ir=3, opset=9)  # fmt: skip
    yield "weights among the inputs", old
    default = model([h.make_node("Mul", ["x", "w"], ["y"])], [x, tensor("w", T.FLOAT, [1])], [y],
                    constants=[constant("w", np.float32([2]))])  # fmt: skip
    yield "an input with a default", default


def _texts() -> Iterator[tuple[str, onnx.ModelProto]]:
    lower = [h.make_node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", is_case_sensitive=0)]
    yield "texts made small", model(lower, [tensor("x", T.STRING, N)], [tensor("y", T.STRING, N)])
    codes = [h.make_node("LabelEncoder", ["x"], ["y"], domain=ML, keys_strings=["a"], values_int64s=[1])]
    yield "codes of texts", model(codes, [tensor("x", T.STRING, ["n", 1])], [tensor("y", T.INT64, ["n", 1])])
    both = [h.make_node("StringConcat", ["a", "b"], ["y"])]
    yield "texts joined", model(both, [tensor("a", T.STRING, N), tensor("b", T.STRING, N)], [tensor("y", T.STRING, N)])
    split = [h.make_node("StringSplit", ["x"], ["y", "k"])]
    yield (
        "texts cut",
        model(split, [tensor("x", T.STRING, N)], [tensor("y", T.STRING, ["n", "w"]), tensor("k", T.INT64, N)]),
    )
    labels = [h.make_node("LabelEncoder", ["x"], ["y"], domain=ML, keys_int64s=[0, 1], values_strings=["nö", "😀"])]
    yield "labels that are no ASCII", model(labels, [tensor("x", T.INT64, N)], [tensor("y", T.STRING, N)])


def _outputs() -> Iterator[tuple[str, onnx.ModelProto]]:
    x = tensor("x", T.FLOAT, FLOATS)
    three = [
        h.make_node("Add", ["x", "x"], ["a"]),
        h.make_node("ReduceSum", ["x"], ["b"], keepdims=0),
        h.make_node("Shape", ["x"], ["c"]),
    ]
    outs = [tensor("a", T.FLOAT, FLOATS), tensor("b", T.FLOAT, []), tensor("c", T.INT64, [2])]
    yield "answers of three shapes", model(three, [x], outs)
    back = [h.make_node("Identity", ["x"], ["y"])]
    yield "what came in is an answer", model(back, [x], [tensor("y", T.FLOAT, FLOATS)])
    odd = [h.make_node("Div", ["x", "zero"], ["y"])]
    yield (
        "answers that are no numbers",
        model(odd, [tensor("x", T.FLOAT, N)], [tensor("y", T.FLOAT, N)], constants=[constant("zero", np.float32(0))]),
    )
    top = [h.make_node("TopK", ["x", "k"], ["values", "places"])]
    yield "the two largest", model(
        top, [x], [tensor("values", T.FLOAT, FLOATS), tensor("places", T.INT64, FLOATS)],
        constants=[constant("k", np.array([2]))],
    )  # fmt: skip
    yield "an answer twice", model(
        [h.make_node("Identity", ["x"], ["y"]), h.make_node("Identity", ["x"], ["z"])], [x],
        [tensor("y", T.FLOAT, FLOATS), tensor("z", T.FLOAT, FLOATS)],
    )  # fmt: skip
    yield "an answer that does not depend on rows", model(
        [h.make_node("Identity", ["w"], ["y"])], [x], [tensor("y", T.FLOAT, [3])],
        constants=[constant("w", np.zeros(3, "f"))],
    )  # fmt: skip


def _control() -> Iterator[tuple[str, onnx.ModelProto]]:
    x, y = tensor("x", T.FLOAT, N), tensor("y", T.FLOAT, N)

    def branch(operation: str, name: str) -> onnx.GraphProto:
        return h.make_graph([h.make_node(operation, ["x"], [name])], name, [], [tensor(name, T.FLOAT, N)])

    chosen = h.make_node("If", ["flag"], ["y"], then_branch=branch("Neg", "a"), else_branch=branch("Abs", "b"))
    yield "a branch by a single truth value", model([chosen], [x, tensor("flag", T.BOOL, [])], [y])
    body = h.make_graph(
        [h.make_node("Add", ["before", "before"], ["after"]), h.make_node("Identity", ["go"], ["on"])], "body",
        [tensor("i", T.INT64, []), tensor("go", T.BOOL, []), tensor("before", T.FLOAT, N)],
        [tensor("on", T.BOOL, []), tensor("after", T.FLOAT, N)],
    )  # fmt: skip
    loop = h.make_node("Loop", ["times", "yes", "x"], ["y"], body=body)
    yield (
        "a loop of fixed length",
        model([loop], [x], [y], constants=[constant("times", np.int64(3)), constant("yes", np.array(True))]),
    )
    yield (
        "a loop as long as asked",
        model([loop], [x, tensor("times", T.INT64, [])], [y], constants=[constant("yes", np.array(True))]),
    )
    step = h.make_graph(
        [h.make_node("Add", ["sum", "one"], ["next"]), h.make_node("Identity", ["next"], ["out"])], "step",
        [tensor("sum", T.FLOAT, []), tensor("one", T.FLOAT, [])],
        [tensor("next", T.FLOAT, []), tensor("out", T.FLOAT, [])],
    )  # fmt: skip
    scan = h.make_node("Scan", ["zero", "x"], ["total", "y"], body=step, num_scan_inputs=1)
    yield (
        "a running sum",
        model([scan], [x], [y, tensor("total", T.FLOAT, [])], constants=[constant("zero", np.float32(0))]),
    )


def _names() -> Iterator[tuple[str, onnx.ModelProto]]:
    for name in ("größe, cm", "a/b:0", "record", "records", "id", "", "x" * 300, "'\"<b>\n"):
        yield f"an input called {name[:12]!r}", same(T.FLOAT, N, name=name)
    yield "input and answer of one name", model([h.make_node("Identity", ["x"], ["y"])], [tensor("x", T.FLOAT, N)],
                                                [tensor("x", T.FLOAT, N), tensor("y", T.FLOAT, N)])  # fmt: skip


def _odd() -> Iterator[tuple[str, onnx.ModelProto]]:
    x, y = tensor("x", T.FLOAT, N), tensor("y", T.FLOAT, N)
    kept = [h.make_node("Identity", ["w"], ["y"])]
    yield "no input", model(kept, [], [y], constants=[constant("w", np.zeros(2, "f"))])
    yield "no answer", model([h.make_node("Identity", ["x"], ["y"])], [x], [])
    yield "an operator of a vendor", model([h.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], [x], [y],
                                           opsets=[h.make_opsetid("com.microsoft", 1)])  # fmt: skip
    yield "an operator that does not exist", model([h.make_node("Banana", ["x"], ["y"])], [x], [y])
    yield "a newer operator set", model([h.make_node("Identity", ["x"], ["y"])], [x], [y], opset=99)
    yield "a newer format", model([h.make_node("Identity", ["x"], ["y"])], [x], [y], ir=99)
    yield "an older operator set", model([h.make_node("Identity", ["x"], ["y"])], [x], [y], opset=7, ir=3)
    yield "types that do not fit", model([h.make_node("Add", ["x", "k"], ["y"])], [x, tensor("k", T.INT64, N)], [y])
    twice = h.make_function("local", "Twice", ["a"], ["b"], [h.make_node("Add", ["a", "a"], ["b"])],
                            [h.make_opsetid("", 20)])  # fmt: skip
    yield "a function of its own", model([h.make_node("Twice", ["x"], ["y"], domain="local")], [x], [y],
                                         functions=[twice], opsets=[h.make_opsetid("local", 1)])  # fmt: skip
    yield "chance", model([h.make_node("RandomUniformLike", ["x"], ["y"])], [x], [y])
    sparse = h.make_sparse_tensor(constant("w", np.float32([2])), constant("w_at", np.array([1])), [3])
    made = [h.make_node("Constant", [], ["w"], sparse_value=sparse), h.make_node("Add", ["x", "w"], ["y"])]
    yield "a sparse constant", model(made, [tensor("x", T.FLOAT, ["n", 3])], [tensor("y", T.FLOAT, ["n", 3])])
    yield "words about itself", _told()


def _told() -> onnx.ModelProto:
    made = same(T.FLOAT, N)
    h.set_model_props(made, {"author": "somebody", "palio.readings": "not ours"})
    made.doc_string, made.producer_name = "x" * 10_000, "an exporter"
    return made


def external(folder: Path, location: str) -> Path:
    """Write a graph whose weights lie in a file beside it, called `location` in the graph."""
    x, y = tensor("x", T.FLOAT, FLOATS), tensor("y", T.FLOAT, FLOATS)
    made = model([h.make_node("Mul", ["x", "w"], ["y"])], [x], [y], constants=[constant("w", np.float32([2, 3]))])
    path = folder / "outside.onnx"
    onnx.save(made, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    if location != "weights.bin":
        raw = onnx.load(path, load_external_data=False)
        for entry in raw.graph.initializer[0].external_data:
            entry.value = location if entry.key == "location" else entry.value
        path.write_bytes(raw.SerializeToString())
    return path
