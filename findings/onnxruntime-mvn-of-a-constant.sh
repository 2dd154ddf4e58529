#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: MeanVarianceNormalization of a channel that is constant is NaN, or -1 or 1 in every place, where
# the definition of the operator (the function of onnx 1.23.2) adds 1e-9 to the deviation and gives 0. The kernel has no epsilon
# and takes the variance as a difference of means. A silent channel, padding or a first frame makes the whole output NaN;
# InstanceNormalization of the same numbers is 0. Expected: 0. Observed: NaN for a channel of twos, 1 for 0.7.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-mvn-of-a-constant.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto as T, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

def run(op, x, evaluator=False):
    extra = {"scale": np.ones(x.shape[1], np.float32), "bias": np.zeros(x.shape[1], np.float32)} if op == "InstanceNormalization" else {}
    node = helper.make_node(op, ["x", *extra], ["y"])
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", T.FLOAT, x.shape)], [helper.make_tensor_value_info("y", T.FLOAT, x.shape)], [numpy_helper.from_array(value, name) for name, value in extra.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    if evaluator:
        return ReferenceEvaluator(model).run(None, {"x": x})[0]
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


x = np.array([[[[1, 2, 3, 4, 5, 6, 7]], [[2] * 7], [[0] * 7], [[0.7] * 7]]], np.float32)
runtime, evaluator, instance = run("MeanVarianceNormalization", x), run("MeanVarianceNormalization", x, True), run("InstanceNormalization", x)
for channel in range(4):
    print(f"channel {x[0, channel, 0]}: runtime {runtime[0, channel, 0].round(4)}, evaluator {evaluator[0, channel, 0].round(4)}, InstanceNormalization {instance[0, channel, 0].round(4)}")
sys.exit(0 if np.isnan(runtime[0, 1:3]).all() and np.all(np.abs(runtime[0, 3]) > 0.9) and np.isfinite(runtime[0, 0]).all() and np.all(np.abs(evaluator[0, 1:]) < 1e-2) and np.all(np.abs(instance[0, 1:]) < 1e-2) else 1)
PY
env/bin/python run.py
