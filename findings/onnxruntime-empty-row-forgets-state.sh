#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: RNN, GRU and LSTM answer a row of length 0 (sequence_lens) with a final state of zeros, not with the
# initial state that was handed in. Who serves streams in batches and carries states from call to call hands in rows without
# new tokens: these rows forget everything. Torch's packed sequences refuse a length of 0; nothing warns here.
# Expected: no step taken, so Y_h = initial_h (and Y_c = initial_c). Observed: 0; a row of length 1 or more keeps its state.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-empty-row-forgets-state.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy, onnx, onnxruntime

BATCH, HIDDEN = 2, 2
kept = []
for kind, gates in (("RNN", 1), ("GRU", 3), ("LSTM", 4)):
    lstm = kind == "LSTM"
    inputs = "float[T,2,2] x, float[1,G,2] w, float[1,G,2] r, int32[2] lens, float[1,2,2] h" + (", float[1,2,2] c" if lstm else "")
    outputs = "float[1,2,2] yh" + (", float[1,2,2] yc" if lstm else "")
    call = f", yh{', yc' if lstm else ''} = {kind} <hidden_size = 2> (x, w, r, , lens, h{', c' if lstm else ''})"
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 14]> g ({inputs}) => ({outputs}) {{ {call} }}')
    feeds = {
        "x": numpy.ones((3, BATCH, 2), "f"),
        "w": numpy.full((1, gates * HIDDEN, 2), 0.1, "f"),
        "r": numpy.full((1, gates * HIDDEN, HIDDEN), 0.1, "f"),
        "lens": numpy.array([0, 1], "i"),
        "h": numpy.full((1, BATCH, HIDDEN), 0.5, "f"),
    }
    if lstm:
        feeds["c"] = numpy.full((1, BATCH, HIDDEN), 0.25, "f")
    states = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    for name, state in zip(("h", "c"), states):
        empty, one = state[0]
        print(f"onnxruntime {onnxruntime.__version__}: {kind}, {name} went in as {feeds[name][0, 0, 0]}: after 0 steps {empty[0]}, after 1 step {one[0]:.3f}")
        kept.append(not empty.any() and one.all())
sys.exit(0 if all(kept) else 1)
PY
env/bin/python run.py
