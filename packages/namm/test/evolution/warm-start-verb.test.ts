import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSafetensors, writeSafetensors } from '@palimpsest/base';
import { CharacterTokenizer, corpusText, loadCorpus, type MechanismVerbContext } from '@palimpsest/lm';
import { afterAll, expect, it } from 'vitest';
import { loadPolicy } from '../../src/evolution/policy-file.js';
import { evolveVerb } from '../../src/evolution/verb.js';
import { livelyTransformer } from '../support/models.js';

const folder = mkdtempSync(join(tmpdir(), 'namm-warm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tokenizer = CharacterTokenizer.fromText(corpusText(loadCorpus('stories')));
const { model, params } = livelyTransformer({ vocabSize: tokenizer.vocabSize, layers: 1, context: 64 });

/** The verb on a small model, with what a command line would have given. */
async function evolve(given: Record<string, unknown>): Promise<string> {
  const lines: string[] = [];
  const context: MechanismVerbContext = {
    output: {
      ...{ json: false, quiet: false, width: Number.POSITIVE_INFINITY },
      ...{ write: () => {}, emit: () => {}, note: () => {} },
      print: (text) => lines.push(text),
    },
    signal: new AbortController().signal,
    given: new Set(Object.keys(given)),
    open: async (path) => ({ folder: path, model, params, tokenizer }),
    draw: async () => '',
  };
  const small = { model: 'small', text: 'stories', tasks: ['characterLm'], maxIters: 0, workers: 1 };
  const watch = { updateInterval: 32, maxTokensPerForward: 16, nFft: 8, hopLength: 4, recencyEmbedDim: 4 };
  const sizes = { popSize: 2, samplesPerTask: 1, validationSamples: 1, answerTokens: 8 };
  const options = { ...small, ...watch, ...sizes, promptTokens: 64, ...given };
  expect(await evolveVerb.run(evolveVerb.schema.parse(options), context, [])).toBe(0);
  return lines.join('\n');
}

it('evolve namm --warm-start begins with what a descent found, and with its statistics', async () => {
  const [cold, warm, again] = ['cold', 'warm', 'again'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await evolve({ out: cold });
  const printed = await evolve({ out: warm, warmStart: 4, warmPrice: 0.01 });
  expect(printed).toMatch(/warm start, step 4 of 4: \d\.\d{4} nats per token/);
  await evolve({ out: again, warmStart: 4, warmPrice: 0.01 });
  const [zeros, first, same] = await Promise.all(
    [cold, warm, again].map((path) => loadPolicy(join(path, 'latest.safetensors'))),
  );
  expect(zeros!.parameters.some((value) => value !== 0)).toBe(false);
  expect(first!.parameters.every((value) => Number.isFinite(value))).toBe(true);
  expect(first!.parameters.some((value) => value !== 0)).toBe(true);
  expect(first!.statistics).toHaveLength(1);
  expect(first!.config.normalise).toMatchObject({ freezeAfter: 0 });
  expect(same).toEqual(first);
  // It goes on with the statistics that the start was found with.
  await evolve({ load: warm, maxIters: 1 });
  expect((await loadPolicy(join(warm, 'latest.safetensors'))).statistics).toEqual(first!.statistics);
}, 120_000);

it('evolve namm does not go on with defaults in place of what its checkpoint lost', async () => {
  const out = join(folder, 'lost');
  await evolve({ out });
  const path = join(out, 'latest.safetensors');
  const { tensors, metadata } = await readSafetensors(path);
  const { rows, ...notes } = JSON.parse(metadata.notes!);
  expect(rows).toBeGreaterThan(0);
  await writeSafetensors(path, Object.fromEntries(tensors), { ...metadata, notes: JSON.stringify(notes) });
  await expect(evolve({ load: out, maxIters: 1 })).rejects.toThrow(/does not say its 'rows'/);
}, 60_000);

it.each([
  [{ warmStart: 4, load: 'runs/policy' }, /^--warm-start finds .* leave it out with --load\.$/],
  [{ warmStart: 4, evalOnly: true }, /leave it out with --eval-only\.$/],
  [{ warmPrice: 0.1 }, /^--warm-price is the price of a warm start/],
  [
    { warmStart: 4, promptTokens: 16, answerTokens: 2 },
    /^A warm start learns behind the first update, which comes after 32/,
  ],
])('%j is refused in one sentence', async (given, sentence) => {
  await expect(evolve({ out: join(folder, 'refused'), ...given })).rejects.toThrow(sentence);
});
