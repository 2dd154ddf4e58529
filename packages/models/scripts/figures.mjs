// What the cards say of the models, measured.
import { readFileSync } from 'node:fs';
import { evaluateText, Session } from '@palimpsest/lm';
import { FOOD_COUNT, recallAfter } from '../dist/facts.js';

/** Questions of the figure: eight of every seed. */
const SEEDS = [101, 102, 103, 104, 105, 106, 107, 108];
const DISTANCE = 20_000;
/** What a test measures again in seconds. */
const CHECK_SEEDS = [101, 102];
const CHECK_DISTANCE = 1000;
const heldOut = new URL('../test/held-out.txt', import.meta.url);

export async function recallOf(engine, { model, params, tokenizer }, seeds, distance) {
  const session = await Session.create({ engine, model, params });
  try {
    const results = [];
    for (const seed of seeds) results.push(await recallAfter({ session, tokenizer }, { seed, distance }));
    const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
    return { share: total('right') / total('asked'), asked: total('asked') };
  } finally {
    await session.dispose();
  }
}

const loss = async (engine, { model, params, tokenizer }, text, lanes) =>
  (await evaluateText(engine, model, params, tokenizer.encode(text), { chunk: 64, lanes })).loss;

/** Figures of a model before and after its weights were rounded, and the small one that the tests measure again. */
export async function figuresOf(engine, whole, rounded, { text, corpus }) {
  if (text === 'facts') {
    const [before, after] = [
      await recallOf(engine, whole, SEEDS, DISTANCE),
      await recallOf(engine, rounded, SEEDS, DISTANCE),
    ];
    const check = await recallOf(engine, rounded, CHECK_SEEDS, CHECK_DISTANCE);
    return {
      figures: [
        {
          measure: 'share of facts known after 20,000 tokens',
          value: after.share,
          unrounded: before.share,
          about: `${after.asked} questions in 8 texts, 8 facts told at the beginning of each; guessing knows ${(1 / FOOD_COUNT).toFixed(3)}`,
        },
      ],
      check: { seeds: CHECK_SEEDS, distance: CHECK_DISTANCE, value: check.share },
    };
  }
  const end = corpus.slice(Math.floor(0.9 * corpus.length));
  return {
    figures: [
      {
        measure: 'nats per character',
        value: await loss(engine, rounded, end, 16),
        unrounded: await loss(engine, whole, end, 16),
        about:
          'the last tenth of the text, read in 16 parts with the memory carried; a 5-gram table has 1.669 over the whole of it',
      },
    ],
    check: { value: await loss(engine, rounded, readFileSync(heldOut, 'utf8'), 1) },
  };
}
