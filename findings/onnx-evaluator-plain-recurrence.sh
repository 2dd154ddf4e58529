#!/usr/bin/env bash
# onnx 1.23.2: ReferenceEvaluator, which exports are checked against, runs RNN, GRU and LSTM but passes over
# `sequence_lens`, `clip` and, in GRU and LSTM, the names of the activations. It raises nothing: the numbers are those of a plain
# layer. A correct export of a masked or clipped layer looks wrong, and a wrong one looks right. onnxruntime 1.32.0 follows all three.
# Expected: each of them changes the result of the evaluator as it does that of the runtime. Observed: it changes nothing.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnx-evaluator-plain-recurrence.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy, onnx, onnxruntime
from onnx.reference import ReferenceEvaluator

random = numpy.random.default_rng(0)
HIDDEN, GATES = 2, {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {"GRU": '["HardSigmoid", "Relu"]', "LSTM": '["HardSigmoid", "Relu", "Tanh"]'}

def both(kind, attribute, lens, feeds):
    """Final states of the evaluator and of the runtime, [1, batch 2, hidden 2] each."""
    inputs = f"float[3,2,2] x, float[1,G,2] w, float[1,G,2] r{', int32[2] lens' if lens else ''}"
    model = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 14]> g ({inputs}) => (float[1,2,2] h) '
        f"{{ y, h = {kind} <hidden_size = {HIDDEN}{attribute}> (x, w, r{', , lens' if lens else ''}) }}"
    )
    given = {name: value for name, value in feeds.items() if lens or name != "lens"}
    runtime = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(model).run(None, given)[0], runtime.run(None, given)[0]

kept = []
for kind, gates in GATES.items():
    feeds = {
        "x": (3 * random.standard_normal((3, 2, 2))).astype("f"),
        "w": random.standard_normal((1, gates * HIDDEN, 2)).astype("f"),
        "r": random.standard_normal((1, gates * HIDDEN, HIDDEN)).astype("f"),
        "lens": numpy.array([1, 2], "i"),
    }
    plain, runtime = both(kind, "", False, feeds)
    kept.append(numpy.allclose(plain, runtime, atol=1e-5))
    for name, attribute, lens in (
        ("sequence_lens", "", True),
        ("clip", ", clip = 0.5", False),
        ("activations", f", activations = {ACTIVATIONS.get(kind)}", False),
    ):
        if name == "activations" and kind not in ACTIVATIONS:
            continue
        changed, other = both(kind, attribute, lens, feeds)
        print(f"{kind}, {name}: changes the evaluator by {abs(changed - plain).max():.3f}, onnxruntime by {abs(other - runtime).max():.3f}")
        kept.append(numpy.array_equal(changed, plain) and abs(other - runtime).max() > 0.01)
sys.exit(0 if all(kept) else 1)
PY
env/bin/python run.py
