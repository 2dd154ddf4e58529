#!/usr/bin/env bash
# pycma 4.5.0: a strategy with a seed seeds NumPy's global generator, and draws from it ever after. Who starts one strategy inside a
# program starts all other random numbers of the program anew (shuffles repeat), and two strategies with seeds of their own disturb
# each other: the second generation of an evolved memory policy depends on what else runs. Seeds give back a run only when nothing
# else draws. Expected: equal seeds, equal samples. Observed: other samples as soon as anything else has drawn.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/pycma-seeds-everyone.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
{ python3 -m venv env && env/bin/pip install --quiet --disable-pip-version-check cma==4.5.0 numpy==2.4.6; } >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.py <<'PY'
import sys, warnings
warnings.simplefilter("ignore")  # plots need a library that is not installed
import cma, numpy

def strategy(seed):
    return cma.CMAEvolutionStrategy([0.5] * 4, 0.3, {"verbose": -9, "seed": seed})

def generation(strategy):
    samples = strategy.ask()
    strategy.tell(samples, [float(sum(sample**2)) for sample in samples])
    return numpy.array(samples)

def second_generation(between):
    one = strategy(7)
    generation(one)
    between()
    return generation(one)

alone = second_generation(lambda: None)
again = second_generation(lambda: None)
drawn = second_generation(lambda: numpy.random.rand())
beside = second_generation(lambda: strategy(8))
shuffles = []
for _ in range(2):
    strategy(7)
    shuffles.append(numpy.random.permutation(100).tolist())
print(f"pycma {cma.__version__.split()[0]}, second generation of seed 7: repeated {numpy.array_equal(alone, again)}")
print(f"the same with one number of numpy.random drawn between: {numpy.array_equal(alone, drawn)}, with a second strategy begun between: {numpy.array_equal(alone, beside)}")
print(f"two shuffles of the program, each behind a new strategy, are equal: {shuffles[0] == shuffles[1]}")
kept = [numpy.array_equal(alone, again), not numpy.array_equal(alone, drawn), not numpy.array_equal(alone, beside), shuffles[0] == shuffles[1]]
sys.exit(0 if all(kept) else 1)
PY
env/bin/python run.py
