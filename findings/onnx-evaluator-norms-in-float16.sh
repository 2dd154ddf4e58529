#!/usr/bin/env bash
# onnx 1.23.2: its evaluator (onnx.reference) passes over `stash_type` of LayerNormalization and RMSNormalization. The
# attribute, 1 by default, says that means and squares of float16 rows are taken in float32; the evaluator takes them in
# float16, where the square of anything beyond 255 is infinite. A row with ordinary activations of a few hundred comes out as
# zeros; a line of NumPy's on an overflow is all that tells of it. Who checks an export against the evaluator finds the right
# runtime (onnxruntime 1.32.0 here) wrong. Expected: the norm of the row. Observed: zeros.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnx-evaluator-norms-in-float16.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto as T, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

def run(op, row):
    x = np.array([row], np.float16)
    node = helper.make_node(op, ["x", "scale"], ["y"], epsilon=1e-6)
    scale = numpy_helper.from_array(np.ones(len(row), np.float16), "scale")
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", T.FLOAT16, x.shape)], [helper.make_tensor_value_info("y", T.FLOAT16, x.shape)], [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    wide = x[0].astype("f8") - (x[0].astype("f8").mean() if op == "LayerNormalization" else 0)
    return ReferenceEvaluator(model).run(None, {"x": x})[0][0], session.run(None, {"x": x})[0][0], wide / np.sqrt((wide**2).mean() + 1e-6)


seen = []
for op in ("LayerNormalization", "RMSNormalization"):
    for row in ([300, -500, 700, 100], [3, -5, 7, 1]):
        evaluator, runtime, exact = run(op, row)
        seen.append((np.all(evaluator == 0), np.allclose(runtime, exact, atol=5e-3), np.allclose(evaluator, exact, atol=5e-3)))
        print(f"{op} of {row}: evaluator {evaluator}, onnxruntime {runtime}, exactly {exact.round(3)}")
sys.exit(0 if [tuple(map(bool, row)) for row in seen] == [(True, True, False), (False, True, True)] * 2 else 1)
PY
env/bin/python run.py
