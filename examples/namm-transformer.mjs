// A transformer whose cache a policy manages: logits of whole texts, then a long text whose memory stays small.
import { createNAMMTransformer } from '@palimpsest/namm';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';

const engine = await createEngine();
const options = {
  vocabSize: 1000,
  maxSeqLength: 2048,
  dModel: 64,
  nHeads: 4,
  nKvHeads: 2,
  nLayers: 2,
  dFf: 128,
  engine,
};
const nammConfig = {
  updateInterval: 128,
  maxTokensPerForward: 64,
  nFft: 32,
  hopLength: 16,
  normalise: false,
};
const watched = createNAMMTransformer({ ...options, nammConfig, parameters: { deviation: 0.2, seed: 2 } });
const whole = createNAMMTransformer({ ...options, useNamm: false });

const rng = Rng.fromSeed(42);
const ids = Int32Array.from({ length: 2 * 128 }, () => rng.int(1000));
const logits = await watched.forward(ndarray(ids, [2, 128], 'int32'));
console.log('logits', logits.shape);

const text = Int32Array.from({ length: 2048 }, () => rng.int(1000));
for (const [name, transformer] of [
  ['everything kept', whole],
  ['with a policy', watched],
]) {
  const decoder = await transformer.newDecoder();
  await decoder.read(text);
  console.log(`${name}: ${decoder.stateBytes} bytes of memory after ${text.length} tokens`);
  await decoder.dispose();
  await transformer.dispose();
}
await engine.dispose();
