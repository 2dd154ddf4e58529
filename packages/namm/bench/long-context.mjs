// A long context under a cap beside the full cache: reading, decoding, bytes; and the memory of the process over eight times the text.
//   node bench/long-context.mjs [--context 8192] [--decoded 64] [--rounds 3] [--longest 65536]
// On a machine that others use take processor time on one thread: PROCESSOR_TIME=1 PALIMPSEST_THREADS=1.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createTransformer } from '@palimpsest/backbone';
import { createDecoder } from '@palimpsest/lm';
import { createEngine, ndarray, Rng } from '@palimpsest/tensor-core';
import { evolutionConfig, fullPolicy, manageTransformer, nammPolicy, parameterCount } from '../dist/index.js';
import { clock, summary } from './timing.mjs';

const { values } = parseArgs({
  options: {
    context: { type: 'string', default: '8192' },
    decoded: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '3' },
    longest: { type: 'string', default: '65536' },
    memory: { type: 'boolean', default: false },
  },
});
const [context, decoded, rounds] = [Number(values.context), Number(values.decoded), Number(values.rounds)];
const longest = Number(values.longest);
const shape = {
  ...{ vocabSize: 512, layers: 4, modelWidth: 128, heads: 8, keyValueHeads: 4, mlpWidth: 344 },
  ...{ norm: 'rms', activation: 'swiglu', context: context + decoded },
};
const transformer = createTransformer(shape);
const params = transformer.init(Rng.fromSeed(1));
const rng = Rng.fromSeed(2);
const ids = (count) => Int32Array.from({ length: count }, () => rng.int(shape.vocabSize));
// The best 256 of every head stay, by a policy of random parameters: its decisions do not change its cost.
const config = evolutionConfig({ normalise: false, selection: { kind: 'topk', cacheSize: 256 } });
const vector = rng.normalArray([parameterCount(config)], 0, 0.065).data;
const policy = nammPolicy(config, { vectors: [vector] });
const engine = await createEngine('onnx');
const mebibytes = (bytes) => (bytes / 2 ** 20).toFixed(2);

function managed(name, of) {
  const reader = manageTransformer(transformer, of).compile(engine, params);
  const texts = reader.read(1);
  const read = async (tokens) => {
    const logits = await texts.read(ndarray(tokens, [1, tokens.length], 'int32'));
    await logits.data();
    logits.dispose();
  };
  const dispose = async () => {
    await texts.dispose();
    await reader.dispose();
  };
  return { name, read, reset: () => texts.reset(), texts, dispose };
}

async function sessionForm() {
  const decoder = await createDecoder(engine, transformer, params, { chunks: [128, 8] });
  return {
    name: `full cache of ${context + decoded} slots, as sessions read it`,
    read: (tokens) => decoder.read(tokens),
    reset: () => decoder.reset(),
    dispose: () => decoder.dispose(),
  };
}

/** Live and allocated keys and values, piece by piece. */
async function bytes() {
  const width = transformer.options.headWidth;
  const perToken = 4 * 2 * width;
  const [most, after] = [
    { live: 0, allocated: 0 },
    { live: 0, allocated: 0 },
  ];
  const { texts, read, dispose } = managed('', policy);
  const look = async (into) => {
    const { layers } = await texts.state();
    const live = layers.reduce(
      (sum, { positions }) => sum + perToken * positions.data.filter((position) => position >= 0).length,
      0,
    );
    into.live = Math.max(into.live, live);
    into.allocated = Math.max(into.allocated, texts.keyValueBytes);
  };
  for (let seen = 0; seen < context; seen += 128) {
    await read(ids(128));
    await look(texts.seen % config.updateInterval === 0 ? after : most);
  }
  for (let token = 0; token < config.updateInterval - 1; token++) {
    await read(ids(1));
    if (token % 32 === 0 || token === config.updateInterval - 2) await look(most);
  }
  const carried = texts.stateBytes - texts.keyValueBytes;
  const full = perToken * shape.keyValueHeads * shape.layers * context;
  const line = ({ live, allocated }) =>
    `${mebibytes(live)} MiB live, ${mebibytes(allocated)} allocated (1/${(full / allocated).toFixed(1)})`;
  console.log(`keys and values of the full cache at ${context} tokens: ${mebibytes(full)} MiB`);
  console.log(
    `under the cap: at most ${line(after)} right after an update, ${line(most)} at any moment; the policy carries ${mebibytes(carried)} MiB`,
  );
  await dispose();
}

async function speed() {
  const forms = [
    managed('cap 256', policy),
    managed('full cache that grows', fullPolicy()),
    await sessionForm(),
  ];
  const times = forms.map(() => ({ read: [], decode: [] }));
  for (let round = 0; round <= rounds; round++) {
    for (const [i, form] of forms.entries()) {
      const prompt = ids(context);
      await form.reset();
      let start = clock();
      await form.read(prompt);
      if (round > 0) times[i].read.push((clock() - start) / context);
      start = clock();
      for (let token = 0; token < decoded; token++) await form.read(ids(1));
      if (round > 0) times[i].decode.push((clock() - start) / decoded);
    }
    if (round === 0) console.log('graphs are made');
  }
  const summaries = times.map(({ read, decode }) => ({ read: summary(read), decode: summary(decode) }));
  for (const [i, { name }] of forms.entries()) {
    const { read, decode } = summaries[i];
    console.log(
      `${name}: reads ${(1000 / read.median).toFixed(0)} tokens/s (at best ${(1000 / read.least).toFixed(0)}), writes ${(1000 / decode.median).toFixed(0)} (${(1000 / decode.least).toFixed(0)})`,
    );
  }
  const [own, ...full] = summaries;
  const fastest = (of) => Math.min(...full.map(of));
  const ratios = ['read', 'decode'].map((kind) => {
    const [median, least] = ['median', 'least'].map(
      (which) => fastest((form) => form[kind][which]) / own[kind][which],
    );
    return `${kind === 'read' ? 'reads' : 'writes'} ${median.toFixed(2)} (least: ${least.toFixed(2)}) times as fast`;
  });
  console.log(`beside the faster form of the full cache: ${ratios.join(', ')}`);
  for (const { dispose } of forms) await dispose();
}

/** The process alone with one capped text. */
async function memory() {
  const { read, dispose } = managed('', policy);
  const sizes = [];
  for (let seen = 0; seen < longest; ) {
    for (let piece = 0; piece < 8192; piece += 1024) await read(ids(1024));
    seen += 8192;
    globalThis.gc?.();
    sizes.push([seen, process.memoryUsage().rss]);
  }
  console.log(
    `memory of the process: ${sizes.map(([seen, rss]) => `${seen / 1024}k tokens ${mebibytes(rss)} MiB`).join(', ')}`,
  );
  await dispose();
}

if (values.memory) await memory();
else {
  await speed();
  await bytes();
  if (longest > 0) {
    const again = ['--expose-gc', fileURLToPath(import.meta.url), '--memory', '--longest', String(longest)];
    process.stdout.write(execFileSync(process.execPath, again, { encoding: 'utf8' }));
  }
}
await engine.dispose();
