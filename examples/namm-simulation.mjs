// A policy over the cache of one head, through 1,000 calls: each brings 32 tokens, and after every 256 the policy forgets some.
import { createNAMM } from '@palimpsest/namm';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';

const [CALLS, INTERVAL, FRESH, WIDTH] = [1000, 256, 32, 16];
const rng = Rng.fromSeed(42);
const engine = await createEngine();
// Random parameters, which forget something; those that know what come from `evolveNamm`.
const namm = createNAMM({
  ...{ updateInterval: INTERVAL, strideSize: 16, windowSize: 64, dModel: 32, nHead: 4, gamma: 0.95 },
  parameters: { deviation: 0.2, seed: 2 },
  engine,
});

/** Keys or values of new tokens behind those of the cache, `[1, tokens, WIDTH]`. */
function withFresh({ data }) {
  const values = Float32Array.from([...data, ...rng.normalArray([FRESH, WIDTH]).data]);
  return ndarray(values, [1, values.length / WIDTH, WIDTH]);
}

/** Causal attention of the new tokens, `[1, tokens, FRESH]`: noise, and what the first number of a token's key draws. */
function attentionOn({ data, shape: [, tokens] }) {
  const weights = rng.normalArray([tokens, FRESH]).data;
  for (let query = 0; query < FRESH; query++) {
    const seen = tokens - FRESH + query + 1;
    let sum = 0;
    for (let token = 0; token < tokens; token++) {
      const place = token * FRESH + query;
      weights[place] = token < seen ? Math.exp(weights[place] + data[token * WIDTH]) : 0;
      sum += weights[place];
    }
    for (let token = 0; token < tokens; token++) weights[token * FRESH + query] /= sum;
  }
  return ndarray(weights, [1, tokens, FRESH]);
}

let cache = { key: ndarray([], [1, 0, WIDTH]), value: ndarray([], [1, 0, WIDTH]) };
const rates = [];
for (let call = 1; call <= CALLS; call++) {
  cache = { key: withFresh(cache.key), value: withFresh(cache.value) };
  const attention = attentionOn(cache.key);
  // What the update of this call will keep; asking changes nothing.
  if ((call * FRESH) % INTERVAL === 0) {
    const { retentionRate, meanScore } = await namm.evaluateRetention(cache, attention);
    rates.push(retentionRate);
    if (rates.length % 25 === 0) {
      const share = (100 * retentionRate).toFixed(1);
      console.log(
        `call ${call}: ${share} % of ${cache.key.shape[1]} tokens stay, mean score ${meanScore.toFixed(2)}`,
      );
    }
  }
  [cache] = await namm.forward(cache, attention);
}
const average = rates.reduce((sum, rate) => sum + rate, 0) / rates.length;
console.log(`average retention ${(100 * average).toFixed(1)} % over ${rates.length} updates`);
await namm.dispose();
await engine.dispose();
