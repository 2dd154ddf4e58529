// node bench/training.mjs: forward, backward and AdamW of d 256, 8 layers, 3 passes, segments of 128, 16 state rows, as a share
// of the peak of a matrix product. BATCH, SEGMENTS, ROUNDS and THREADS in the environment.
import {
  adamw,
  createEngine,
  crossEntropy,
  Rng,
  tf,
  valueAndGradient,
} from '../../tensor-core/dist/index.js';
import { OmLLM } from '../dist/index.js';
import { inTurn, matrixProduct, median, randomIds } from './common.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const batch = Number(process.env.BATCH ?? 4);
const segments = Number(process.env.SEGMENTS ?? 2);
const engine = await createEngine('onnx', { threads: Number(process.env.THREADS ?? 1) });
const options = {
  vocabSize: 256,
  numLayers: 8,
  dimInput: 256,
  dimHidden: 1024,
  dimsKey: [64, 32, 16],
  dimsValue: [64, 32, 16],
  numHeads: 8,
  segmentLen: 128,
  stateLen: 16,
};

/** Multiply-adds of a layer and segment in the fused form, exact triangles not counted. */
function layerProducts({
  dimInput: d,
  dimHidden: h,
  dimsKey,
  dimsValue,
  numHeads: H,
  segmentLen: n,
  stateLen: S,
}) {
  const rank = d / H;
  let [projections, attention, input] = [0, 0, d];
  dimsKey.forEach((key, p) => {
    const value = dimsValue[p];
    projections += (p === 0 ? n + S : n + 2 * S) * H * input * (2 * key + value);
    attention += (S * S + n * (S + n) + S * (n + 2 * S)) * H * (key + value);
    input = value;
  });
  const inner = input === rank ? 0 : (n + S) * H * input * rank;
  return projections + attention + inner + (n + S) * H * rank * d + 2 * n * d * h;
}

const model = new OmLLM(options);
const time = segments * options.segmentLen;
const host = model.init(Rng.fromSeed(1));
const optimizer = adamw();
let held = engine.put({ params: host, state: optimizer.init(host) });
const step = engine.compile(
  ({ params, state }, ids) => {
    const loss = (weights) => {
      const { logits } = model.forward(weights, ids);
      return crossEntropy(tf.reshape(logits, [batch * time, 256]), tf.reshape(ids, [batch * time]));
    };
    const { gradients } = valueAndGradient(loss, params);
    const next = optimizer.update(params, gradients, state, { learningRate: tf.scalar(1e-4) });
    return { params: next.parameters, state: next.state };
  },
  { donate: [0] },
);
const ids = engine.put(randomIds(batch, time, 256));
const product = matrixProduct(engine);
const times = await inTurn(
  {
    step: async () => {
      held = await step(held, ids);
    },
    product: product.call,
  },
  ROUNDS,
);
const forward = 2 * batch * (segments * options.numLayers * layerProducts(options) + time * 256 * 256);
for (const clock of ['wall', 'cpu']) {
  const [seconds, peak] = [times.step, times.product].map((list) => median(list.map((t) => t[clock])) / 1000);
  const share = (3 * forward) / seconds / (product.flops / peak);
  console.log(
    `${clock}: step ${(1000 * seconds).toFixed(0)} ms, ${((3 * forward) / seconds / 1e9).toFixed(1)} of ${(product.flops / peak / 1e9).toFixed(1)} GFLOP/s: share ${share.toFixed(2)} (batch ${batch}, ${segments} segments)`,
  );
}
await engine.dispose();
