/**
 * The memory of AMS v4 over a language model of the public: how it is prompted, what stands before a memory, what is kept of it, and what
 * retrieval sees, each on 50 questions of five sessions of training words. Writes one line of JSON per setting as it goes.
 * node bench/memory/real-model.mjs --model FILE.gguf --out sweep.jsonl [--sessions 60] [--threads 1] [--heldOut 20]
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { conversationConfig, TextModel, trainConversation } from '../../../ams-v4/dist/index.js';
import { loadPretrained } from '../../../backbone/dist/index.js';
import { createEngine } from '../../../tensor-core/dist/index.js';
import {
  aggregate,
  askSession,
  generateSession,
  runViability,
  standardPack,
  trainingSessions,
} from '../../dist/index.js';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    out: { type: 'string' },
    sessions: { type: 'string', default: '60' },
    threads: { type: 'string', default: '1' },
    heldOut: { type: 'string' },
  },
});
const engine = await createEngine('auto', { threads: Number(values.threads) });
const text = new TextModel(engine, await loadPretrained(values.model, { capacity: 2048 }));
const pack = standardPack();
const [SESSIONS, FACTS, TOKENS] = [5, 20, 16];

const known = existsSync(values.out)
  ? readFileSync(values.out, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  : [];

/** Asks the sessions in some modes and notes what came of it; what was measured before is not measured again. */
async function measure(step, name, adapters, modes) {
  const before = known.find((one) => one.step === step && one.name === name);
  if (before) return before;
  const started = process.cpuUsage();
  const asked = Object.fromEntries(modes.map((mode) => [mode, []]));
  let bytes = 0;
  for (let seed = 1; seed <= SESSIONS; seed++) {
    const options = { seed, facts: FACTS, queries: 10, split: 'train' };
    const session = generateSession(pack, options);
    const own = await askSession(text, adapters, pack, options, session, { modes, maxTokens: TOKENS });
    for (const mode of modes) asked[mode].push(...own.results[mode]);
    bytes += own.bytes.keyValues / own.memories / SESSIONS;
  }
  const { user, system } = process.cpuUsage(started);
  const results = Object.fromEntries(
    modes.map((mode) => {
      const { rates, retrieval, inputTokens, prefixPositions } = aggregate(asked[mode]);
      const recall = retrieval && { at1: retrieval.recallAt1, at4: retrieval.recallAtK };
      return [
        mode,
        { first: rates.first.rate, interval: rates.first.interval, recall, inputTokens, prefixPositions },
      ];
    }),
  );
  const line = {
    step,
    name,
    questions: 50,
    keyValueBytes: Math.round(bytes),
    seconds: Math.round((user + system) / 1e6),
    results,
  };
  appendFileSync(values.out, `${JSON.stringify(line)}\n`);
  console.log(
    `${step} ${name}: ${modes.map((mode) => `${mode} ${(100 * results[mode].first).toFixed(0)}${results[mode].recall ? ` (${(100 * results[mode].recall.at1).toFixed(0)}/${(100 * results[mode].recall.at4).toFixed(0)})` : ''}`).join(', ')}, ${line.keyValueBytes} bytes, ${line.seconds} s`,
  );
  return line;
}

const { sessions, corpus } = trainingSessions(pack, { sessions: Number(values.sessions) });
const untrained = (memory) =>
  trainConversation(text, sessions.slice(0, 2), { memory: { kvDtype: 'f16', ...memory }, corpus, steps: 1 });
const withConfig = (adapters, options) => ({
  ...adapters,
  config: conversationConfig({ ...adapters.config, ...options }),
});

const turn = '<|im_start|>user\n{text}<|im_end|>\n';
const chat = { memoryForm: turn, contextForm: turn, queryForm: `${turn}<|im_start|>assistant\n` };
const systemTurn = (said) => `<|im_start|>system\n${said}<|im_end|>\n`;
const BRIEF = 'The user tells you facts, then asks about them. Answer in a few words.';
const OWN = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face';

// Steps 1 to 3: forms and lead-ins, read with everything in the prompt and with the right memory alone.
const forms = {
  plain: {},
  'plain, begin token': { leadIn: '<|endoftext|>' },
  'plain, task as lead-in': { leadIn: `${BRIEF}\n` },
  chat,
  "chat, the template's system turn": { ...chat, leadIn: systemTurn(OWN) },
  'chat, task as system turn': { ...chat, leadIn: systemTurn(BRIEF) },
};
const READ = ['Z_no_memory', 'D_full_history', 'O1_oracle_alone'];
let best;
for (const [name, memory] of Object.entries(forms)) {
  const line = await measure('1-3 form and lead-in', name, await untrained(memory), READ);
  const { O1_oracle_alone: o1, D_full_history: d } = line.results;
  const worth = o1.first + d.first;
  if (!best || worth > best.worth) best = { name, memory, worth };
}
console.log(`best form: ${best.name}`);

// Step 8: what retrieval sees.
const { layers } = text.model.options;
const ofRetrieval = {};
for (const centroidWeights of ['flat', 'idf'])
  for (const poolLayer of [...[1 / 3, 1 / 2, 2 / 3, 5 / 6].map((share) => Math.round(share * layers))]) {
    if (centroidWeights === 'idf' && poolLayer !== Math.round(layers / 3)) continue;
    const memory = { ...best.memory, kvDtype: 'f16', poolLayer, centroidWeights };
    const name = `layer ${poolLayer}, ${centroidWeights}`;
    const before = known.find((one) => one.name === name);
    const adapters = before
      ? undefined
      : await trainConversation(text, sessions, { memory, corpus, steps: 400 });
    const line = await measure('8 retrieval', name, adapters, ['B_ams_text']);
    ofRetrieval[name] = { line, memory, adapters };
  }
const chosen = Object.values(ofRetrieval).sort(
  (a, b) => b.line.results.B_ams_text.recall.at1 - a.line.results.B_ams_text.recall.at1,
)[0];
console.log(`best retrieval: ${chosen.line.name}`);
const adapters =
  chosen.adapters ?? (await trainConversation(text, sessions, { memory: chosen.memory, corpus, steps: 400 }));

// Steps 4 to 7: what is kept and how much is read.
const A = ['A_ams_prefix'];
for (const [k, pMin] of [
  [1, 0],
  [2, 0.02],
  [4, 0.02],
  [4, 0.1],
])
  await measure('7 memories', `k ${k}, pMin ${pMin}`, withConfig(adapters, { fusedTopK: k, pMin }), A);
for (const kvTokens of ['all', 4, 8])
  await measure('5 tokens', `${kvTokens}`, withConfig(adapters, { kvTokens }), ['O1_oracle_alone']);
for (const kvEnds of ['last', 'none'])
  await measure('4 ends', `8 tokens, ends ${kvEnds}`, withConfig(adapters, { kvTokens: 8, kvEnds }), [
    'O1_oracle_alone',
  ]);
for (const kvDtype of ['int8', 'int4'])
  await measure('6 form of keys and values', kvDtype, withConfig(adapters, { kvDtype }), ['O1_oracle_alone']);
for (const kvBytesPerVec of [32, 64, 128]) {
  const name = `kakeya, ${kvBytesPerVec} bytes per set`;
  if (known.some((one) => one.name === name)) continue;
  const memory = { ...chosen.memory, kvDtype: 'kakeya', kvBytesPerVec };
  const own = await trainConversation(text, sessions.slice(0, 20), { memory, corpus, steps: 1 });
  const sets = { rows: own.rows, prediction: own.prediction };
  await measure(
    '6 form of keys and values',
    name,
    { ...withConfig(adapters, { kvDtype: 'kakeya', kvBytesPerVec }), ...sets },
    ['O1_oracle_alone'],
  );
}
for (const [m, k] of [
  [6, 4],
  [12, 4],
])
  await measure(
    '10 slots',
    `${m} slots`,
    withConfig(adapters, { prefixMode: 'slots', slotsPerMemory: m, fusedTopK: k }),
    ['O1_oracle_alone'],
  );

// The winner, once, on sessions of words that neither adapters nor settings have seen.
if (values.heldOut !== undefined) {
  const ofA = readFileSync(values.out, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ step }) => step === '7 memories');
  const winner = ofA.reduce((a, b) => (b.results.A_ams_prefix.first > a.results.A_ams_prefix.first ? b : a));
  const [, k, pMin] = /k (\d+), pMin ([\d.]+)/.exec(winner.name).map(Number);
  console.log(`held out: ${winner.name}`);
  const report = await runViability(text, withConfig(adapters, { fusedTopK: k, pMin }), pack, {
    suite: 'base',
    facts: [FACTS],
    sessions: Number(values.heldOut),
    firstSeed: 1,
    modes: [
      'A_ams_prefix',
      'C_ams_hybrid',
      'D_full_history',
      'Z_no_memory',
      'X_wrong_memory',
      'B_ams_text',
      'C0_top1_text',
    ],
    maxTokens: 30,
    onSession: (_, done) => console.log(`session ${done}`),
  });
  writeFileSync(values.out.replace('.jsonl', '-held-out.json'), `${JSON.stringify(report, null, 1)}\n`);
  console.log(
    JSON.stringify(report.results[0].modes, (key, value) =>
      key === 'strict' || key === 'loose' ? undefined : value,
    ),
  );
}
await text.dispose();
await engine.dispose();
