#!/usr/bin/env bash
# onnxruntime (Python) 1.32.0: from the first level of graph optimization up, and so by default, two rounds of quantization in a row
# (QuantizeLinear, DequantizeLinear, twice) become one, with the range both share cut into 8 bits. The result lies on a grid
# that neither round has: with steps of 0.5 and then 0.125, numbers come out that the steps of 0.5 cannot give. Simulated caches and
# weights at two widths look more exact in this runtime than they are. Without optimization the graph is run as written.
# Expected: [0, 0.5, 1.5]. Observed: [0.25, 0.5, 1.25].
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/onnxruntime-merges-quantizers.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import numpy, onnx, onnxruntime

GRAPH = (
    '<ir_version: 9, opset_import: ["": 20]> g (float[N] x) => (float[N] y) '
    "<float first = {%g}, float second = {%g}, int8 zero = {0}> {"
    " a = QuantizeLinear(x, first, zero) b = DequantizeLinear(a, first, zero)"
    " c = QuantizeLinear(b, second, zero) y = DequantizeLinear(c, second, zero) }"
)
x = numpy.array([0.24, 0.5, 1.26], "f")

def run(steps, level):
    options = onnxruntime.SessionOptions()
    if level is not None:
        options.graph_optimization_level = level
    model = onnx.parser.parse_model(GRAPH % steps).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]

kept = []
for steps in ((0.5, 0.125), (0.125, 0.5)):
    written = run(steps, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    default = run(steps, None)
    on_grid = [bool((abs(y / 0.5 - numpy.round(y / 0.5)) < 1e-6).all()) for y in (written, default)]
    print(f"onnxruntime {onnxruntime.__version__}, steps {steps}: as written {written.tolist()}, by default {default.tolist()}")
    kept.append(on_grid == [True, False])
sys.exit(0 if all(kept) else 1)
PY
env/bin/python run.py
