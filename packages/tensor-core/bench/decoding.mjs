// npm run bench:decoding -- one decode step of the yardstick GPT with frozen weights against its products alone.
import { createEngine, ndarray, zeros } from '../dist/index.js';
import * as gpt from './gpt.mjs';

const { layers, heads, model, time } = gpt.shape;
const engine = await createEngine('onnx');
const parameters = gpt.initialise();
const decode = engine.compile(gpt.decodeStep, { freeze: [0], donate: [2] });
const products = engine.compile(gpt.decodeProducts, { freeze: [0] });
const slots = () => zeros([1, heads, time, model / heads]);
let caches = engine.put(Array.from({ length: layers }, () => ({ keys: slots(), values: slots() })));
const id = ndarray([7], [1], 'int32');
const stepTimes = [];
const productTimes = [];
const timed = async (list, action) => {
  const before = performance.now();
  await action();
  list.push(performance.now() - before);
};
for (let position = 0; position < 600; position++) {
  await timed(stepTimes, async () => {
    const result = await decode(parameters, id, caches, ndarray(position % time, [], 'int32'));
    result.logits.dispose();
    caches = result.caches;
  });
  await timed(productTimes, async () => (await products(parameters, id)).dispose());
}
const middle = (list) => list.slice(100).sort((a, b) => a - b)[(list.length - 100) >> 1];
const [step, product] = [middle(stepTimes), middle(productTimes)];
console.log(
  `decode step ${step.toFixed(3)} ms (${Math.round(1000 / step)} tokens/s), its matrix-vector products ${product.toFixed(3)} ms`,
);
console.log(`ratio ${(step / product).toFixed(2)}`);
await engine.dispose();
