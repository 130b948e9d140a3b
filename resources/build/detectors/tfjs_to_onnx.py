"""Convert a TensorFlow.js graph model (JSON topology and binary weights) to ONNX.

    python tfjs_to_onnx.py nanodet.json nanodet.onnx

The topology is a frozen TensorFlow graph with three peculiarities: weights stand in a side file, int64 is stored as
int32, and convolutions are fused with what follows them. This script undoes them and leaves the rest to tf2onnx.
Needs requirements.txt beside this file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tf2onnx import optimizer
from tf2onnx.tfonnx import process_tf_graph

OPSET = 15
UNFUSED = {"_FusedConv2D": "Conv2D", "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative"}
CONVOLUTION_ATTRIBUTES = ("strides", "padding", "dilations", "data_format", "explicit_paddings")


def main() -> None:
    """Read, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="the model's .json; its .bin files lie beside it")
    parser.add_argument("out", type=Path, help="the .onnx to write")
    arguments = parser.parse_args()
    model = json.loads(arguments.model.read_text(encoding="utf-8"))
    graph = graph_definition(model["modelTopology"]["node"], read_weights(model, arguments.model.parent))
    arguments.out.write_bytes(to_onnx(graph, model["signature"]))


def read_weights(model: dict, folder: Path) -> dict[str, np.ndarray]:
    """Weights by name; those stored as float16 or as scaled integers come back as what they were."""
    weights = {}
    for group in model["weightsManifest"]:
        data, start = b"".join((folder / part).read_bytes() for part in group["paths"]), 0
        for entry in group["weights"]:
            packing = entry.get("quantization", {})
            stored = np.dtype(packing.get("dtype", entry["dtype"]))
            count = int(np.prod(entry["shape"], dtype=int))
            values = np.frombuffer(data, stored, count, start).reshape(entry["shape"])
            start += count * stored.itemsize
            if "scale" in packing:
                values = values.astype(np.float32) * packing["scale"] + packing["min"]
            weights[entry["name"]] = values.astype(entry["dtype"])
    return weights


def graph_definition(nodes: list[dict], weights: dict[str, np.ndarray]) -> tf.compat.v1.GraphDef:
    """The plain TensorFlow graph of a TensorFlow.js topology."""
    graph = tf.compat.v1.GraphDef()
    for entry in nodes:
        if entry["op"] == "Const":
            graph.node.append(constant(entry["name"], weights[entry["name"]]))
        elif entry["op"] == "SparseToDense":
            parts = (weights[name.split(":")[0]] for name in entry["input"][:4])
            graph.node.append(constant(entry["name"], dense(*parts)))
        elif entry["op"] in UNFUSED:
            graph.node.extend(unfused(parsed(entry)))
        else:
            graph.node.append(parsed(entry))
    return graph


def parsed(entry: dict) -> tf.compat.v1.NodeDef:
    """A node as it stands, its types corrected to what TensorFlow.js stored."""
    node = json_format.ParseDict(entry, tf.compat.v1.NodeDef(), ignore_unknown_fields=True)
    for key in node.attr:
        if node.attr[key].type == tf.int64.as_datatype_enum:
            node.attr[key].type = tf.int32.as_datatype_enum
    return node


def constant(name: str, values: np.ndarray) -> tf.compat.v1.NodeDef:
    """A node that holds a weight."""
    node = tf.compat.v1.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(values.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    return node


def dense(indices: np.ndarray, shape: np.ndarray, values: np.ndarray, default: np.ndarray) -> np.ndarray:
    """What SparseToDense would compute; ONNX has no such operator."""
    result = np.full(np.ravel(shape).astype(int), default, dtype=values.dtype)
    rows = np.reshape(indices, (-1, 1)) if np.ndim(indices) < 2 else np.asarray(indices)
    result[tuple(rows.astype(int).T)] = values
    return result


def unfused(node: tf.compat.v1.NodeDef) -> list[tf.compat.v1.NodeDef]:
    """A fused convolution as a chain of single operations; the last one keeps the name."""
    followers = [name.decode() for name in node.attr["fused_ops"].list.s]
    names = [f"{node.name}__fused{step}" for step in range(len(followers))] + [node.name]

    convolution = tf.compat.v1.NodeDef(name=names[0], op=UNFUSED[node.op])
    convolution.input.extend(node.input[:2])
    for key in CONVOLUTION_ATTRIBUTES:
        wanted = key != "explicit_paddings" or convolution.op == "Conv2D"
        if key in node.attr and wanted:
            convolution.attr[key].CopyFrom(node.attr[key])
    convolution.attr["T"].type = tf.float32.as_datatype_enum

    chain, operands = [convolution], list(node.input[2:])
    for name, operation in zip(names[1:], followers, strict=True):
        follower = tf.compat.v1.NodeDef(name=name, op=operation)
        follower.attr["T"].type = tf.float32.as_datatype_enum
        follower.input.append(chain[-1].name)
        if operation in ("BiasAdd", "Prelu"):
            follower.input.append(operands.pop(0))
        if operation == "LeakyRelu":
            follower.attr["alpha"].f = node.attr["leakyrelu_alpha"].f if "leakyrelu_alpha" in node.attr else 0.2
        chain.append(follower)
    return chain


def to_onnx(graph: tf.compat.v1.GraphDef, signature: dict) -> bytes:
    """Run tf2onnx on a frozen graph."""
    inputs = {tensor_name(entry["name"]): entry for entry in signature["inputs"].values()}
    outputs = [tensor_name(entry["name"]) for entry in signature["outputs"].values()]
    shapes = {name: [int(side["size"]) for side in entry["tensorShape"]["dim"]] for name, entry in inputs.items()}
    with tf.Graph().as_default() as loaded:
        tf.import_graph_def(graph, name="")
    with tf.compat.v1.Session(graph=loaded):
        converted = process_tf_graph(
            loaded, opset=OPSET, input_names=list(inputs), output_names=outputs, shape_override=shapes
        )
    return optimizer.optimize_graph(converted).make_model("tfjs").SerializeToString()


def tensor_name(name: str) -> str:
    """TensorFlow names the first output of a node `node:0`."""
    return name if ":" in name else f"{name}:0"


if __name__ == "__main__":
    main()
