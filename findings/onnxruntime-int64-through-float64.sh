#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: sums, products and powers of int64 behave as if they went through float64. ReduceSum loses the last
# digits beyond 2^53, Pow rounds 3^39, and ReduceProd ends at the largest integer where Mul and NumPy wrap around. Hashes of
# n-grams and of buckets (multiply, add, wrap) need every bit: an exported hash finds other rows of its table. The evaluator of
# onnx 1.23.2 keeps all bits; the runtime neither raises nor warns.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-int64-through-float64.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy, onnx, onnxruntime
from onnx.reference import ReferenceEvaluator

HEAD = '<ir_version: 8, opset_import: ["": 18]> g '
REDUCE = "(int64[2,2] a) => (int64[2] y) <int64[1] axis = {1}> { y = %s <keepdims = 0> (a, axis) }"
odd = numpy.array([[2**53, 1], [1, 0]], numpy.int64)
factors = numpy.array([[2**32 + 1, 2**32 + 1], [3, 5]], numpy.int64)
TOP, WRAPPED = 2**63 - 1, (2**32 + 1) ** 2 - 2**64
ROWS = [
    ("ReduceSum", REDUCE % "ReduceSum", {"a": odd}, 2**53, 2**53 + 1),
    ("Pow", "(int64[1] a, int64[1] b) => (int64[1] y) { y = Pow(a, b) }", {"a": numpy.array([3]), "b": numpy.array([39])}, int(float(3**39)), 3**39),
    ("ReduceProd", REDUCE % "ReduceProd", {"a": factors}, TOP, WRAPPED),
    ("Mul", "(int64[2] a) => (int64[2] y) { y = Mul(a, a) }", {"a": factors[0]}, WRAPPED, WRAPPED),
]
kept = []
for name, graph, feeds, seen, right in ROWS:
    model = onnx.parser.parse_model(HEAD + graph)
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got, exact = int(runtime.run(None, feeds)[0][0]), int(ReferenceEvaluator(model).run(None, feeds)[0][0])
    print(f"{name}: onnxruntime {onnxruntime.__version__} {got}, evaluator of onnx {onnx.__version__} {exact}")
    kept.append((got, exact) == (seen, right))
sys.exit(0 if all(kept) else 1)
PY
env/bin/python run.py
