#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: one NaN in the input of Unique makes other numbers come out as counted and placed wrongly. The
# NaN is no element of its own: it is taken for whichever number it is compared with first, adds to that one's count and bears
# its index in the inverse, so that Y[inverse] no longer gives the input back; with the NaN in front every number is it. The
# evaluator of onnx 1.23.2 and NumPy keep the numbers apart. Buckets and vocabularies of features that are built in the graph
# merge in silence. Expected: Y[inverse] = X. Observed: [2, 1, NaN, 3, 1] comes back as [2, 1, 1, 3, 1], and [NaN, 1, 2] as
# [NaN, NaN, NaN].
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-unique-with-nan.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy as np, onnx, onnxruntime
from onnx import TensorProto as T, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

def run(values, evaluator=False):
    x = np.array(values, np.float32)
    node = helper.make_node("Unique", ["x"], ["y", "first", "inverse", "counts"])
    outputs = [helper.make_tensor_value_info(name, T.FLOAT if name == "y" else T.INT64, ["n"]) for name in ("y", "first", "inverse", "counts")]
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", T.FLOAT, x.shape)], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    if evaluator:
        return ReferenceEvaluator(model).run(None, {"x": x})
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})


nan = float("nan")
seen = []
for values in ([2, 1, nan, 3, 1], [nan, 1, 2], [2, 1, 3, 1]):
    y, _, inverse, counts = run(values)
    expected, _, places, numbers = run(values, evaluator=True)
    print(f"{values}: Y {y}, counts {counts}, Y[inverse] {y[inverse]}; evaluator Y {expected}, counts {numbers}, Y[inverse] {expected[places]}")
    seen.append(y[inverse])
    if not np.array_equal(expected[places], np.array(values, np.float32), equal_nan=True):
        sys.exit(1)
sys.exit(0 if seen[0].tolist() == [2, 1, 1, 3, 1] and np.isnan(seen[1]).all() and seen[2].tolist() == [2, 1, 3, 1] else 1)
PY
env/bin/python run.py
