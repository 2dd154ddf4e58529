// node bench/forms.mjs: for many shapes, what both forms cost and what the form costs that the model takes by itself, in one run.
// ROUNDS and THREADS in the environment, SHAPES as a list of [layers, width, batch, tokens, state rows, segments, whether it learns].
import { createEngine, crossEntropy, Rng, tf, valueAndGradient } from '../../tensor-core/dist/index.js';
import { OmLLM } from '../dist/index.js';
import { inTurn, randomIds, ratio } from './common.mjs';

const shapes = JSON.parse(
  process.env.SHAPES ??
    `[[8,64,1,16,8,8],[8,64,1,32,8,2],[8,64,1,32,8,16],[8,64,1,64,8,8],[8,64,2,32,8,8],[4,64,1,32,8,8],[2,64,1,32,8,2],
      [8,128,1,32,8,8],[8,128,1,64,8,8],[2,256,1,64,8,8],[4,192,1,32,8,4],[8,256,1,32,8,8],[8,64,8,64,8,4],[4,128,8,32,8,4],
      [4,64,1,32,8,8,true],[4,64,1,64,8,4,true],[4,128,1,64,8,8,true],[4,128,2,64,16,4,true]]`,
);
const rounds = Number(process.env.ROUNDS ?? 7);
const threads = Number(process.env.THREADS ?? 2);
const engine = await createEngine('onnx', { threads });

for (const [numLayers, d, batch, segmentLen, stateLen, segments, learns = false] of shapes) {
  const model = new OmLLM({
    vocabSize: 256,
    numLayers,
    dimInput: d,
    dimHidden: 4 * d,
    dimsKey: [32, 16],
    dimsValue: [32, 16],
    numHeads: d / 32,
    segmentLen,
    stateLen,
  });
  const time = segments * segmentLen;
  const [params, ids] = [engine.put(model.init(Rng.fromSeed(1))), engine.put(randomIds(batch, time, 256))];
  const compiled = (form) =>
    engine.compile((p, x) => {
      const read = (weights) => model.forward(weights, x, [], false, { form });
      if (!learns) return read(p);
      const loss = (weights) =>
        crossEntropy(tf.reshape(read(weights).logits, [batch * time, 256]), tf.reshape(x, [batch * time]));
      return valueAndGradient(loss, p).gradients;
    });
  const forms = {
    sequential: compiled('sequential'),
    wavefront: compiled('wavefront'),
    own: compiled(undefined),
  };
  const calls = Object.fromEntries(
    Object.entries(forms).map(([name, call]) => [name, () => call(params, ids)]),
  );
  const times = await inTurn(calls, rounds);
  const [both, faster] = [
    ratio(times.sequential, times.wavefront, 'wall'),
    Math.max(ratio(times.sequential, times.own, 'wall'), ratio(times.wavefront, times.own, 'wall')),
  ];
  console.log(
    `${numLayers} layers of ${d}, ${batch} x ${segments} segments of ${segmentLen}, ${stateLen} state rows, ${learns ? 'learning' : 'reading'}: sequential / wavefront ${both.toFixed(2)}, slower / own ${faster.toFixed(2)}`,
  );
  for (const call of Object.values(forms)) await call.dispose();
}
await engine.dispose();
