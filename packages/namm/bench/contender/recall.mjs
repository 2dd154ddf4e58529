// What the programs of this folder share: recall of pairs, a transformer that learns it, and what watches its cache.
import { fullAttention } from '@palimpsest/backbone/mechanism';
import { GeneratedExamples, IGNORED_TARGET, train } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';

export const [VOCABULARY, LENGTH, BUDGET] = [24, 32, 12];
export const PAIRS = [4, 6, 8];
export const WATCH = {
  ...{ updateInterval: 8, maxTokensPerForward: 8, nFft: 8, hopLength: 4, emaCoeff: 0.97, recencyEmbedDim: 4 },
};

/** Pairs of key and value, then filler in which every key comes once more; its value is asked. */
export function example(rng) {
  const half = VOCABULARY / 2;
  const pairs = PAIRS[rng.int(PAIRS.length)];
  const inputs = new Int32Array(LENGTH);
  const targets = new Int32Array(LENGTH).fill(IGNORED_TARGET);
  const keys = rng.permutation(half - 1).subarray(0, pairs);
  const told = rng.permutation(half).subarray(0, pairs);
  const places = rng.permutation((LENGTH - 2 * pairs) / 2).subarray(0, pairs);
  for (let pair = 0; pair < pairs; pair++) {
    const [key, value] = [1 + keys[pair], half + told[pair]];
    inputs.set([key, value], 2 * pair);
    const at = 2 * pairs + 2 * places[pair];
    inputs[at] = key;
    targets[at] = value;
  }
  return { inputs, targets };
}

/** The last question of an example: what is before it is read under the policy. */
export const task = {
  name: 'recall',
  size: 2 ** 16,
  sample(split, index) {
    const seed = { train: 1, validation: 2, test: 3 }[split] * 2 ** 20 + index;
    const { inputs, targets } = example(Rng.fromSeed(seed));
    const at = targets.findLastIndex((target) => target !== IGNORED_TARGET);
    return {
      trial: { prompt: inputs.slice(0, at + 1), target: targets.slice(at, at + 1) },
      score: ({ logProb }) => Math.exp(logProb),
    };
  },
};

/** A small transformer that has learned the task, and its weights. */
export async function learnedRecall(engine, report) {
  const learner = fullAttention.create(
    { vocabSize: VOCABULARY, trainLength: LENGTH, longestLength: LENGTH },
    { width: 32, layers: 2, heads: 2 },
  );
  let params;
  const source = new GeneratedExamples([example], { name: 'recall', batch: 32, time: LENGTH, seed: 1 });
  const settings = {
    steps: 1200,
    learningRate: 5e-3,
    warmupSteps: 100,
    weightDecay: 0.1,
    seed: 1,
    telemetry: false,
  };
  const enough = new AbortController();
  const recent = [];
  for await (const event of train({ engine, model: learner, source, settings, signal: enough.signal })) {
    if (event.type === 'step') {
      recent.push(event.loss);
      if (event.step % 50 === 0) report(`step ${event.step}: ${event.loss.toFixed(3)} nats per answer`);
      if (recent.slice(-20).reduce((sum, loss) => sum + loss, 0) < 20 * 0.03 && recent.length > 20)
        enough.abort();
    }
    if (event.type === 'end' || event.type === 'interrupted') params = event.params;
  }
  return { learner, params };
}
