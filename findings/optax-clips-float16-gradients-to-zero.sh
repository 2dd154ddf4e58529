#!/usr/bin/env bash
# optax 0.2.8 (with jax 0.10.2): clip_by_global_norm takes the squares of float16 gradients in float16. From a norm of 256 on
# their sum is infinite, the gradients are divided by it, and every update is 0: training stands still from the first step on,
# without a NaN that would show it. Gradients of that size are what loss scaling, the usual companion of float16, makes on
# purpose. global_norm itself says inf for a norm of 500, which float16 holds. Expected: [0.6, 0.8] for [300, 400] clipped to 1.
# Observed: [0, 0]; bfloat16 and float32 are right.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/optax-clips-float16-gradients-to-zero.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check optax==0.2.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys
import jax.numpy as jnp, optax

seen = {}
for kind in ("float32", "bfloat16", "float16"):
    gradients = {"w": jnp.array([300, 400], kind)}
    clip = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1))
    parameters = {"w": jnp.zeros(2, kind)}
    state = clip.init(parameters)
    for _ in range(3):
        updates, state = clip.update(gradients, state, parameters)
        parameters = optax.apply_updates(parameters, updates)
    clipped, _ = optax.clip_by_global_norm(1.0).update(gradients, optax.EmptyState())
    seen[kind] = [float(optax.global_norm(gradients)), [float(value) for value in clipped["w"]], [float(value) for value in parameters["w"]]]
    print(f"{kind}: norm {seen[kind][0]}, clipped to 1 {[round(value, 3) for value in seen[kind][1]]}, weights after three steps {[round(value, 3) for value in seen[kind][2]]}")
right = all(abs(seen[kind][1][0] - 0.6) < 0.01 for kind in ("float32", "bfloat16"))
sys.exit(0 if right and seen["float16"] == [float("inf"), [0, 0], [0, 0]] else 1)
PY
env/bin/python run.py
