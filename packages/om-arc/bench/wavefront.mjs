// node bench/wavefront.mjs: the wavefront against one layer of one segment after the other, reading and training, for several
// batches and lengths of segments, states only and with logits. ROUNDS, THREADS, SIZES and WHAT in the environment.
import { createEngine, crossEntropy, Rng, tf, valueAndGradient } from '../../tensor-core/dist/index.js';
import { OmLLM } from '../dist/index.js';
import { inTurn, randomIds, ratios } from './common.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const threads = Number(process.env.THREADS ?? 2);
const engine = await createEngine('onnx', { threads });
const wanted = (process.env.WHAT ?? 'ingesting,reading,learning').split(',');
const sizes = JSON.parse(process.env.SIZES ?? '[[1,32],[1,64],[4,32],[8,64]]');

for (const [batch, segmentLen] of sizes) {
  const options = {
    vocabSize: 256,
    numLayers: 8,
    dimInput: 64,
    dimHidden: 256,
    dimsKey: [32, 16],
    dimsValue: [32, 16],
    numHeads: 2,
    segmentLen,
    stateLen: 8,
  };
  const model = new OmLLM(options);
  const time = 16 * segmentLen;
  const params = engine.put(model.init(Rng.fromSeed(1)));
  const ids = engine.put(randomIds(batch, time, 256));
  const ingest = (form) => engine.compile((p, x) => model.forward(p, x, [], false, { form }).states);
  const read = (form) => engine.compile((p, x) => model.forward(p, x, [], false, { form }));
  const learn = (form) =>
    engine.compile((p, x) => {
      const loss = (weights) => {
        const { logits } = model.forward(weights, x, [], false, { form });
        return crossEntropy(tf.reshape(logits, [batch * time, 256]), tf.reshape(x, [batch * time]));
      };
      return valueAndGradient(loss, p).gradients;
    });
  for (const [what, make] of Object.entries({ ingesting: ingest, reading: read, learning: learn })) {
    if (!wanted.includes(what)) continue;
    const [sequential, wavefront] = [make('sequential'), make('wavefront')];
    const times = await inTurn(
      { sequential: () => sequential(params, ids), wavefront: () => wavefront(params, ids) },
      ROUNDS,
    );
    console.log(
      `${what}, batch ${batch}, 16 segments of ${segmentLen}, ${threads} threads: sequential / wavefront: ${ratios(times.sequential, times.wavefront)}`,
    );
    await sequential.dispose();
    await wavefront.dispose();
  }
}
await engine.dispose();
