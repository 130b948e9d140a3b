"""Store the weights of an ONNX model as float16: half the file, computed in float32 as before.

    python halve_weights.py nanodet.onnx ../../detectors/nanodet-g-416.onnx

Each large float32 weight becomes a float16 weight and a Cast; onnxruntime folds the casts when it loads the model, so
that nothing is lost at run time. The published weights are float16 already: this undoes their unpacking.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 256  # values; smaller weights (biases, shapes) are not worth a Cast


def main() -> None:
    """Read, halve, check, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    model = onnx.load(arguments.model)
    halve_weights(model.graph)
    onnx.checker.check_model(model)
    arguments.out.write_bytes(model.SerializeToString())


def halve_weights(graph: onnx.GraphProto) -> None:
    """Replace the large float32 initializers of a graph, in place."""
    weights, casts = [], []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size > SMALLEST:
            weights.append(numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}_h"))
            casts.append(helper.make_node("Cast", [f"{tensor.name}_h"], [tensor.name], to=TensorProto.FLOAT))
        else:
            weights.append(tensor)
    nodes = list(graph.node)
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(weights)
    graph.node.extend(casts + nodes)


if __name__ == "__main__":
    main()
