// Rate and distortion on real vectors: hidden states of a small transformer that is trained here, on text that neither it nor
// the coders have seen.
//   node bench/hidden-states.mjs [text file] [--out FOLDER]     (without a file: generated stories)
// The model reads the first 80 % of the text; coders are fitted to states of the next 10 % and tested on the last 10 %.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createTransformer } from '../../backbone/dist/index.js';
import {
  CharacterTokenizer,
  corpusText,
  generateStories,
  RandomWindows,
  train,
} from '../../lm/dist/index.js';
import { createEngine, ndarray } from '../../tensor-core/dist/index.js';
import { coderSpecs, matrix, rateDistortion, rateDistortionSvg, rateDistortionTable } from '../dist/index.js';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string' }, steps: { type: 'string', default: '600' } },
});
const [WIDTH, LAYERS, WINDOW, LAYER] = [128, 3, 64, 2];
const text = positionals[0]
  ? readFileSync(positionals[0], 'utf8')
  : corpusText(generateStories({ characters: 400_000 }));
const tokenizer = CharacterTokenizer.fromText(text);
const ids = Int32Array.from(tokenizer.encode(text));
const part = (from, to) => ids.subarray(Math.floor(from * ids.length), Math.floor(to * ids.length));

const engine = await createEngine('onnx');
const model = createTransformer({
  vocabSize: tokenizer.vocabSize,
  layers: LAYERS,
  heads: 4,
  modelWidth: WIDTH,
  context: WINDOW,
  norm: 'rms',
  activation: 'swiglu',
});
const source = new RandomWindows(part(0, 0.8), { batch: 16, time: WINDOW, seed: 1 });
const settings = { steps: Number(options.steps), learningRate: 3e-3, warmupSteps: 60, telemetry: false };
let [params, loss] = [undefined, 0];
for await (const event of train({ engine, model, source, settings })) {
  if (event.type === 'step') loss = event.loss;
  if (event.type === 'end') ({ params } = event);
}
console.log(
  `transformer of ${LAYERS} layers, width ${WIDTH}: loss ${loss.toFixed(2)} nats after ${settings.steps} steps`,
);

const states = engine.compile((tree, tokens) => ({
  hidden: model.run(tree, { tokens }, model.initState(tree, tokens.shape[0]), { hidden: true }).hidden[LAYER],
}));
const placed = engine.put(params);

/** Hidden states behind a layer, `count` rows spread evenly over a text. */
async function hiddenStates(tokens, count) {
  const windows = Math.floor(tokens.length / WINDOW);
  const rows = new Float32Array(count * WIDTH);
  const perWindow = Math.ceil(count / windows);
  let filled = 0;
  for (let window = 0; window < windows && filled < count; window++) {
    const piece = tokens.slice(window * WINDOW, (window + 1) * WINDOW);
    const { hidden } = await states(placed, ndarray(piece, [1, WINDOW], 'int32'));
    const values = await hidden.data();
    hidden.dispose();
    for (let i = 0; i < perWindow && filled < count; i++, filled++) {
      const at = Math.floor(((i + 1) * WINDOW) / (perWindow + 1)) * WIDTH;
      rows.set(values.subarray(at, at + WIDTH), filled * WIDTH);
    }
  }
  return matrix(count, WIDTH, rows);
}

const name = `hidden states, layer ${LAYER} of ${LAYERS}`;
const [fitted, heldOut] = [await hiddenStates(part(0.8, 0.9), 4000), await hiddenStates(part(0.9, 1), 1000)];
const specs = [
  coderSpecs.sparse({ encoder: 'parity' }),
  coderSpecs.sparse({ encoder: 'refit' }),
  ...[8, 16, 32, 52].flatMap((bytes) => [
    coderSpecs.pcaInt8(bytes),
    ...(WIDTH % bytes === 0 ? [coderSpecs.productQuantiser(bytes)] : []),
    coderSpecs.transform(bytes),
    coderSpecs.trellis(bytes),
  ]),
];
const rows = rateDistortion(fitted, heldOut, specs);
console.log(`\n## ${name}: ${fitted.rows} rows to learn from, ${heldOut.rows} held out, width ${WIDTH}\n`);
console.log(rateDistortionTable(rows));
if (options.out !== undefined) {
  mkdirSync(options.out, { recursive: true });
  writeFileSync(join(options.out, 'hidden-states.svg'), rateDistortionSvg(rows, name));
}
await engine.dispose();
