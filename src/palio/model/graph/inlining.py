"""Take graphs that other tools wrote into Palio's: their opset, and their nodes between its own. Needs `onnx`."""

from __future__ import annotations

from collections.abc import Mapping

from palio.core.errors import InputError
from palio.model.graph.builder import IR_VERSION, ONNX_OPSET, GraphBuilder


def at_our_opset(graph: bytes) -> bytes:
    """Return a graph as Palio's own are: of the same opset, without a word of who wrote it and when.

    Raises:
        InputError: it has operators that cannot be brought there.
    """
    import onnx
    from onnx import version_converter

    whole = onnx.load_model_from_string(graph)
    del whole.graph.value_info[:]
    try:
        converted = version_converter.convert_version(whole, ONNX_OPSET)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(
            f"graph: it cannot be brought to opset {ONNX_OPSET}: {str(error).strip().splitlines()[0][:200]}",
            hint="export it again, with a newer opset",
        ) from None
    del converted.graph.value_info[:]
    converted.ir_version = IR_VERSION
    converted.producer_name, converted.producer_version, converted.doc_string = "palio", "", ""
    for node in converted.graph.node:
        node.doc_string, node.name = "", ""
        del node.metadata_props[:]
    return bytes(converted.SerializeToString(deterministic=True))


def inline(builder: GraphBuilder, graph: bytes, inputs: Mapping[str, str]) -> list[str]:
    """Add all nodes of a graph; return the names that its outputs have here, in their order.

    Equal nodes on equal tensors stand in `builder` once, e.g. the frozen part of two networks.

    Args:
        builder: What is added to.
        graph: A graph of Palio's opset (`at_our_opset`), without branches and loops.
        inputs: Each of its inputs → a tensor of `builder`.

    Raises:
        InputError: an input is missing, or the graph holds graphs.
    """
    import onnx

    whole = onnx.load_model_from_string(graph).graph
    names = {"": ""} | dict(inputs)
    constants = {value.name: value for value in whole.initializer}
    missing = [value.name for value in whole.input if value.name not in names and value.name not in constants]
    if missing:
        raise InputError(f"graph: nothing is given for its input `{missing[0]}`", hint="name a tensor for each input")
    for node in whole.node:
        if any(one.HasField("g") or one.graphs for one in node.attribute):
            raise InputError(f"graph: `{node.op_type}` holds a graph of its own", hint="export it without branches")
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            names[node.output[0]] = builder.share_constant(node.attribute[0].t)
            continue
        for name in node.input:
            if name not in names:
                names[name] = builder.share_constant(constants[name])
        made = builder.share_node(node, [names[name] for name in node.input])
        names |= dict(zip(node.output, made, strict=True))
    for value in whole.output:  # an output may be a constant
        if value.name not in names:
            names[value.name] = builder.share_constant(constants[value.name])
    return [names[value.name] for value in whole.output]
