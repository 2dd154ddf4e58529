import { slidingWindowMechanism } from '@palimpsest/backbone/mechanism';
import { gru } from '@palimpsest/harness/controls';
import { CharacterTokenizer, ContiguousLanes, train } from '@palimpsest/lm';
import { mechanism as omArc } from '@palimpsest/om-arc/mechanism';
import { mechanism as osam } from '@palimpsest/osam/mechanism';
import { mechanism as rsm } from '@palimpsest/rsm/mechanism';
import { createEngine, keyedUniform, ndarray, tf } from '@palimpsest/tensor-core';
import * as onnxRuntime from 'onnxruntime-web/webgpu';

/** The contenders' first, at a size that a software adapter trains in seconds. */
const trained = {
  osam: [osam, { forgetting: 'mixed', width: 32 }],
  rsm: [rsm, { chunk: 8, width: 32 }],
  'om-arc': [omArc, { segmentLen: 8, passes: 1, width: 32 }],
  'transformer-window': [slidingWindowMechanism, { window: 16, width: 32 }],
  gru: [gru, { width: 32 }],
};

const text = 'the cat sat on the mat, and the dog lay on the log. '.repeat(40);
const tokenizer = CharacterTokenizer.fromText(text);
const TIME = 24;

function modelOf(name) {
  const [card, options] = trained[name];
  const [contender] = card.contenders;
  const room = { vocabSize: tokenizer.vocabSize, trainLength: TIME, longestLength: TIME };
  return contender.create(room, contender.options.parse(options));
}

/** The first losses of a fresh model and what a step takes, and how far its `step` is from its `forward` behind them. */
async function learn(name, engineName, options, steps) {
  const model = modelOf(name);
  const engine = await createEngine(engineName, { onnxRuntime, ...options });
  const source = new ContiguousLanes(tokenizer.encode(text), { batch: 2, time: TIME });
  const settings = { steps, learningRate: 0.003, seed: 1, telemetry: false };
  const [losses, times] = [[], []];
  let params;
  let before = performance.now();
  for await (const event of train({ engine, model, source, settings })) {
    if (event.type === 'step') {
      losses.push(event.loss);
      times.push(performance.now() - before);
      before = performance.now();
    }
    if (event.type === 'end') params = event.params;
  }
  const streaming = await streamed(engine, model, params);
  await engine.dispose();
  return { description: engine.describe(), losses, times, ...streaming };
}

/** The largest difference between the logits of `step`, token by token, and of `forward`, and the largest logit. */
async function streamed(engine, model, params) {
  const tokens = Int32Array.from(tokenizer.encode(text).slice(0, TIME));
  const start = engine.compile((p) => model.initState(p, 1));
  const whole = engine.compile((p, t, s) => model.forward(p, t, s, { training: false }).logits);
  const one = engine.compile((p, t, s) => model.step(p, t, s), { donate: [2] });
  const weights = engine.put(params);
  const empty = await start(weights);
  const expected = await (await whole(weights, ndarray(tokens, [1, TIME], 'int32'), empty)).data();
  let state = empty;
  let [difference, largest] = [0, 0];
  for (let at = 0; at < TIME; at++) {
    const { logits, state: next } = await one(
      weights,
      ndarray(tokens.slice(at, at + 1), [1], 'int32'),
      state,
    );
    state = next;
    const row = await logits.data();
    row.forEach((logit, id) => {
      const truth = expected[at * row.length + id];
      difference = Math.max(difference, Math.abs(logit - truth));
      largest = Math.max(largest, Math.abs(truth));
    });
  }
  return { difference, largest };
}

/** Ops that count or draw in 64 bits elsewhere: the largest difference of each from the engine `cpu`. */
async function compare(options) {
  const key = ndarray([5, -77], [2], 'int32');
  const x = ndarray(
    Array.from({ length: 3000 }, (_, index) => 3 * Math.sin(1.7 * index)),
    [3000],
  );
  const places = ndarray(
    Array.from({ length: 300 }, (_, index) => (index % 9) - 1),
    [300],
    'int32',
  );
  const rows = (a) => tf.reshape(a, [300, 10]);
  const ops = {
    draws: [(a) => keyedUniform(a, [64]), key],
    'places of the largest': [(a) => tf.topk(a, 4).indices, x],
    'place of the largest': [(a) => tf.argMax(rows(a), 1), x],
    remainders: [(a) => tf.mod(a, tf.scalar(3, 'int32')), places],
    'sum of all': [(a) => tf.sum(a), x],
    'running sums': [(a) => tf.cumsum(a), x],
    'sums by segment': [(a, ids) => tf.unsortedSegmentSum(rows(a), ids, 7), x, places],
  };
  const engines = [await createEngine('onnx-web', { onnxRuntime, ...options }), await createEngine('cpu')];
  const differences = {};
  for (const [name, [op, ...inputs]] of Object.entries(ops)) {
    const results = await Promise.all(engines.map(async (engine) => engine.compile(op)(...inputs)));
    const [actual, expected] = await Promise.all(results.map((result) => result.data()));
    differences[name] = Math.max(...expected.map((truth, index) => Math.abs(actual[index] - truth)));
  }
  return differences;
}

globalThis.compare = compare;
globalThis.learn = (...choice) => learn(...choice).catch((error) => ({ error: error.message }));
