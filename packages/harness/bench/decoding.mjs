/**
 * What a token of `palimpsest generate` costs beside the fastest way in which a mechanism's own package decodes: the model's
 * decoder alone, or its step compiled as bare as it can be called (weights frozen, memory donated), whichever is faster, with
 * the likeliest token fed back. The command's path is `generate` over a `Session`: the decoder, the draw by temperature and
 * top-k, its log-probability, and the text of the token.
 * node bench/decoding.mjs [--threads 1] [--rounds 160] [--only osam]
 * Prints milliseconds per token, and by both clocks the median of the turns' ratios and the ratio of the minima. The aim is a
 * ratio of at most 1.15.
 */
import { parseArgs } from 'node:util';
import * as lm from '../../lm/dist/index.js';
import * as core from '../../tensor-core/dist/index.js';
import { standardRegistry } from '../dist/index.js';

const { values } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '160' },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const rounds = Number(values.rounds);
/** Tokens of a turn. A text is this many turns long, so that caches are met from empty to half full. */
const TURN = 8;
const TURNS_PER_TEXT = 8;
const PROMPT = 'The memory is written upon again. ';
const SAMPLING = { temperature: 0.8, topK: 40 };

const tokenizer = lm.CharacterTokenizer.fromText(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz .,;:!?-\n',
);
const prompt = [...tokenizer.encode(PROMPT)];
const make = (name, preset, options = {}) =>
  standardRegistry.architectures
    .find((candidate) => candidate.name === name)
    .create(tokenizer.vocabSize, options, preset);
const policy = standardRegistry.policies.find(({ name }) => name === 'window');
const models = Object.entries({
  'osam, improved': () => make('osam', 'improved'),
  'osam, every 4th position': () => make('osam', 'improved', { kUpdate: 4 }),
  'osam, reference': () => make('osam', 'reference'),
  'osam, text': () => make('osam', 'text'),
  'rsm, parallel': () => make('rsm', 'parallel'),
  'rsm, causal': () => make('rsm', 'causal'),
  'om-arc, small': () => make('om-arc', 'small'),
  'transformer, small': () => make('transformer', 'small'),
  'transformer, shakespeare': () => make('transformer', 'shakespeare'),
  'transformer, 64 tokens kept': () =>
    policy.apply(make('transformer', 'small'), policy.options.parse({ budget: 64 })),
}).filter(([name]) => values.only.length === 0 || values.only.some((part) => name.includes(part)));

/** The command's path: a turn is so many events. */
async function commandPath(engine, model, params) {
  const session = await lm.Session.create({ engine, model, params, seed: 1337 });
  let events;
  return {
    async begin() {
      events = lm.generate({ session, tokenizer, prompt, sampling: SAMPLING, maximumTokens: 1e9 });
      // The first token is drawn from what the prompt left: nothing is read for it.
      await events.next();
    },
    next: () => events.next(),
    dispose: () => session.dispose(),
  };
}

function likeliest(logits) {
  let result = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[result]) result = id;
  return result;
}

async function decoderAlone(engine, model, params) {
  const decoder = await lm.createDecoder(engine, model, params);
  let id = 0;
  return {
    async begin() {
      await decoder.reset();
      await decoder.read(prompt);
    },
    async next() {
      id = likeliest(await decoder.read([id]));
    },
    dispose: () => decoder.dispose(),
  };
}

/** The step itself. */
async function bareStep(engine, model, host) {
  const params = engine.put(host);
  const [start, step] = [
    engine.compile((tree) => model.initState(tree, 1)),
    engine.compile((tree, token, state) => model.step(tree, token, state), { freeze: [0], donate: [2] }),
  ];
  let state;
  let id = 0;
  const next = async () => {
    const result = await step(params, core.ndarray(Int32Array.of(id), [1], 'int32'), state);
    id = likeliest(await result.logits.data());
    result.logits.dispose();
    state = result.state;
  };
  return {
    async begin() {
      core.disposeTree(state);
      state = await start(params);
      for (let at = 0; at < prompt.length; at++) await next();
    },
    next,
    async dispose() {
      core.disposeTree(state);
      core.disposeTree(params);
      await Promise.all([start, step].map((form) => form.dispose()));
    },
  };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const least = (list) => Math.min(...list);

/** Times of all forms, turn by turn, so that a busy moment meets all of them. */
async function measure(forms) {
  const times = forms.map(() => ({ wall: [], processor: [] }));
  for (let round = -8 * TURNS_PER_TEXT; round < rounds; round++) {
    if (round % TURNS_PER_TEXT === 0) for (const form of forms) await form.begin();
    for (let turn = 0; turn < forms.length; turn++) {
      // Whoever comes after another form finds the processor's caches full of its weights: all take every place.
      const place = (round + turn + forms.length * TURNS_PER_TEXT * 8) % forms.length;
      const form = forms[place];
      const [begin, before] = [performance.now(), process.cpuUsage()];
      for (let token = 0; token < TURN; token++) await form.next();
      const { user, system } = process.cpuUsage(before);
      if (round < 0) continue;
      times[place].wall.push((performance.now() - begin) / TURN);
      times[place].processor.push((user + system) / 1000 / TURN);
    }
  }
  return times;
}

const engine = await core.createEngine('onnx', { threads: Number(values.threads) });
console.log(
  `${engine.describe().runtime}, ${values.threads} thread(s), vocabulary of ${tokenizer.vocabSize}, ${rounds} turns of ${TURN} tokens`,
);
console.log('median / minimum: ms per token by the processor clock, ratios by both clocks');
for (const [label, create] of models) {
  const model = await create();
  const params = model.init(core.Rng.fromSeed(1));
  const made = [await commandPath(engine, model, params), await decoderAlone(engine, model, params)];
  // A memory whose shapes change with the text has no step in a graph.
  if (!model.reader) made.push(await bareStep(engine, model, params));
  const [command, ...own] = await measure(made);
  const fastest = own.reduce((a, b) => (median(b.processor) < median(a.processor) ? b : a));
  const form = fastest === own[0] ? 'decoder' : 'step';
  const milliseconds = (times) => [median, least].map((of) => of(times.processor).toFixed(3)).join(' / ');
  // Neighbours in time are compared, so that a machine that slows down for a while does so on both sides of a ratio.
  const ratios = ['processor', 'wall'].map((clock) => {
    const turns = command[clock].map((time, turn) => time / fastest[clock][turn]);
    return [median(turns), least(command[clock]) / least(fastest[clock])]
      .map((value) => value.toFixed(2))
      .join(' / ');
  });
  console.log(
    `${label.padEnd(28)} ${String(lm.countParameters(params)).padStart(9)} parameters; generate ${milliseconds(command)}, fastest (${form}) ${milliseconds(fastest)}; processor ${ratios[0]}, wall ${ratios[1]}`,
  );
  for (const each of made) await each.dispose();
}
await engine.dispose();
