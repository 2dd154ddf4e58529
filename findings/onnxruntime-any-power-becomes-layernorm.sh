#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: from the first level of graph optimization up, and so by default, the nodes (x - mean) /
# sqrt(mean((x - mean) ^ p) + epsilon) are replaced by a LayerNormalization whatever the exponent p is: a constant 4 counts as
# 2. A norm by the fourth moment, or by any even one, silently becomes the common layer norm. Without optimization the graph is
# run as written, as by the evaluator of onnx 1.23.2. Expected: equal results with and without optimization. Observed: with p =
# 4 they differ by half, and equal those of p = 2.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-any-power-becomes-layernorm.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto as T, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.array([[1, 2, 4, -3], [0.5, 0, 10, 2]], np.float32)


def norm(power, level):
    nodes = [
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"]),
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Pow", ["centred", "power"], ["powers"]),
        helper.make_node("ReduceMean", ["powers", "axes"], ["moment"]),
        helper.make_node("Add", ["moment", "epsilon"], ["shifted"]),
        helper.make_node("Sqrt", ["shifted"], ["root"]),
        helper.make_node("Div", ["centred", "root"], ["normed"]),
        helper.make_node("Mul", ["normed", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["y"]),
    ]
    constants = {"axes": np.array([-1]), "power": np.float32(power), "epsilon": np.float32(1e-5), "scale": np.ones(4, np.float32), "bias": np.zeros(4, np.float32)}
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", T.FLOAT, x.shape)], [helper.make_tensor_value_info("y", T.FLOAT, x.shape)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    if level is None:
        return ReferenceEvaluator(model).run(None, {"x": x})[0]
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


levels = onnxruntime.GraphOptimizationLevel
kept, basic, default, evaluator = (norm(4, level) for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_BASIC, levels.ORT_ENABLE_ALL, None))
square = norm(2, levels.ORT_DISABLE_ALL)
for name, values in (("p = 4, without optimization", kept), ("p = 4, evaluator of onnx", evaluator), ("p = 4, by default", default), ("p = 2", square)):
    print(f"{name}: {np.round(values[0], 4)}")
print(f"p = 4 at the first level of optimization equals p = 2: {np.allclose(basic, square, atol=1e-5)}")
sys.exit(0 if np.allclose(kept, evaluator, atol=1e-5) and np.allclose(default, square, atol=1e-5) and not np.allclose(default, kept, atol=0.1) else 1)
PY
env/bin/python run.py
