// Trains a small matrix for 3,000 steps on one engine, alone in its process, and prints live arrays and resident sizes.
import { createEngine, full, tf, valueAndGradient, zeros } from '../../dist/index.js';

const engine = await createEngine(process.argv[2]);
const step = engine.compile(
  (state, x) => {
    const { value, gradients } = valueAndGradient(
      (w) => tf.mean(tf.square(tf.sub(tf.matMul(x, w), 1))),
      state.w,
    );
    const m = tf.add(tf.mul(state.m, 0.9), gradients);
    return { loss: value, state: { w: tf.sub(state.w, tf.mul(m, 0.01)), m } };
  },
  { donate: [0] },
);
let state = engine.put({ w: zeros([64, 32]), m: zeros([64, 32]) });
const x = full([8, 64], 0.1);
const counts = new Set();
const residentSizes = [];
for (let done = 1; done <= 3000; done++) {
  const result = await step(state, x);
  state = result.state;
  result.loss.dispose();
  counts.add(engine.memory().arrays);
  if (done === 2000 || done === 3000) {
    globalThis.gc();
    residentSizes.push(process.memoryUsage().rss);
  }
}
console.log(JSON.stringify({ counts: [...counts], residentSizes }));
