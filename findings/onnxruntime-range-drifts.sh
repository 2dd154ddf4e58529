#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: Range adds delta to the number before, in the type of the output, a million times over if need
# be. The operator is defined as output[i] = start + i * delta, and the evaluator of onnx 1.23.2 gives that. Positions,
# timestamps or grids made in the graph by steps that float32 cannot hold run away: the end of range(0, 100000, 0.1) is 1 %
# beyond the limit, though a range never reaches its limit. Nothing warns. Expected: last element 99999.9. Observed: 100958.24.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-range-drifts.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto as T, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

def run(limit, delta):
    node = helper.make_node("Range", ["start", "limit", "delta"], ["y"])
    values = {name: np.array(value, np.float32) for name, value in (("start", 0), ("limit", limit), ("delta", delta))}
    inputs = [helper.make_tensor_value_info(name, T.FLOAT, []) for name in values]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", T.FLOAT, ["n"])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, values)[0], ReferenceEvaluator(model).run(None, values)[0]


worst = []
for limit, delta in ((100, 0.1), (10000, 0.1), (100000, 0.1), (1000, 0.001)):
    runtime, evaluator = run(limit, delta)
    exact = np.arange(len(runtime)) * float(np.float32(delta))
    worst.append(np.abs(runtime - exact).max() / limit)
    print(f"range(0, {limit}, {delta}) ends at {runtime[-1]:.2f}, evaluator {evaluator[-1]:.2f}, exactly {exact[-1]:.2f}; {(runtime >= limit).sum()} elements at or beyond the limit")
    right = np.abs(evaluator - exact).max() / limit < 1e-6
    if not right:
        sys.exit(1)
sys.exit(0 if worst[2] > 0.009 and worst[1] > 1e-4 else 1)
PY
env/bin/python run.py
