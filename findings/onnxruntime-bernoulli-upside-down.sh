#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: Bernoulli draws ones with the probability 1 - p. The definition that onnx 1.23.2 ships for the
# operator compares the wrong way round (a uniform number GREATER than p gives a one), and the runtime, which has no kernel of its
# own, takes it; onnx's own evaluator draws with p. An exported dropout mask or a sampled gate keeps what it should drop.
# Expected: p = 0, 1 and 0.9 give a share of ones of 0, 1 and 0.9. Observed: 1, 0 and 0.1.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-bernoulli-upside-down.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy, onnx, onnxruntime
from onnx.reference import ReferenceEvaluator

model = onnx.parser.parse_model(
    '<ir_version: 8, opset_import: ["": 15]> g (float[N] p) => (float[N] y) { y = Bernoulli <seed = 1.0> (p) }'
)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
evaluator = ReferenceEvaluator(model)
kept = []
for p in (0.0, 1.0, 0.9):
    feeds = {"p": numpy.full(10000, p, numpy.float32)}
    ours, theirs = (float(runner.run(None, feeds)[0].mean()) for runner in (session, evaluator))
    print(f"p = {p}: share of ones {ours:.3f} (onnxruntime {onnxruntime.__version__}), {theirs:.3f} (evaluator of onnx {onnx.__version__})")
    kept.append(abs(ours - (1 - p)) < 0.02 and abs(theirs - p) < 0.02)
sys.exit(0 if all(kept) else 1)
PY
env/bin/python run.py
