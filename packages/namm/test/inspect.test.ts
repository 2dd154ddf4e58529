import { ByteTokenizer, CharacterTokenizer } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { expect, it } from 'vitest';
import { policyByName } from '../src/index.js';
import { inspectionOf } from '../src/inspect/inspection.js';
import { readText } from '../src/inspect/read-text.js';
import { livelyTransformer, smallNamm, texts } from './support/models.js';

const { model: smallModel, params } = livelyTransformer();

it('shows what every update made of every token, and its spectrum', async () => {
  const engine = await createEngine('cpu');
  const { policy } = smallNamm();
  const schedule = { updateInterval: 16, maxTokensPerForward: 8 };
  const tokens = Int32Array.from(texts(1, 40, 3).data);
  const read = await readText({ engine, model: smallModel, params, policy, schedule, tokens });
  expect(read.updates).toEqual([16, 32]);
  expect(read.heads).toHaveLength(smallModel.options.layers * smallModel.options.keyValueHeads);
  for (const { lives } of read.heads) {
    const verdicts = lives.map((life) => life.verdicts);
    // The newest token of an update stays; what came later was never judged.
    expect(verdicts[15]!.slice(0, 1).map(({ seen, stays }) => [seen, stays])).toEqual([[16, true]]);
    expect(verdicts.slice(32).flat()).toEqual([]);
    // Judged once more exactly when it stayed.
    for (const own of verdicts.slice(0, 16)) expect(own).toHaveLength(own[0]!.stays ? 2 : 1);
    const spectra = lives.slice(0, 32).map(({ spectrum }) => spectrum!);
    expect(new Set(spectra.map(({ length }) => length)).size).toBe(1);
    expect(spectra.every((values) => values.every((value) => value >= 0))).toBe(true);
  }
  const letters = Array.from({ length: smallModel.vocabSize }, (_, id) => String.fromCharCode(33 + id)).join(
    '',
  );
  const tokenizer = CharacterTokenizer.fromText(letters);
  const { sections, data } = inspectionOf(read, 'namm', tokenizer);
  const pieces = sections.flatMap(({ pictures }) =>
    pictures.flatMap((x) => (x.kind === 'text' ? [x.pieces] : [])),
  );
  expect(pieces).toHaveLength(1 + read.heads.length);
  const notes = pieces[1]!.map(({ note }) => note);
  expect(notes[0]).toMatch(/^token 0, .*\nscores at 16: -?[\d.]+.*\nspectrum [▁▂▃▄▅▆▇█]+, largest [\d.e-]+$/);
  expect(notes[39]).toContain('came after the last update');
  const forgotten = read.heads[0]!.lives.findIndex(({ verdicts }) => verdicts[0]?.stays === false);
  expect(notes[forgotten]).toContain('forgotten');
  expect(pieces[1]![forgotten]!.shade).toBeLessThan(pieces[1]![15]!.shade);
  expect(JSON.parse(JSON.stringify(data)).heads[0].kept).toHaveLength(2);
  await expect(
    readText({
      engine,
      model: smallModel,
      params,
      policy: policyByName('h2o', { size: 4 }),
      schedule,
      tokens: tokens.slice(0, 9),
    }),
  ).rejects.toThrow('Nothing is forgotten before 16 tokens, but this text has 9');
  await engine.dispose();
});

it('draws a text that ends inside a character, and spectra of negative parts by their magnitudes', () => {
  const tokens = Int32Array.from([...new TextEncoder().encode('aé')].slice(0, 2));
  const lives = Array.from(tokens, () => ({
    verdicts: [{ seen: 2, score: 1, stays: true }],
    spectrum: [-4, 2, -0.5],
  }));
  const { sections } = inspectionOf(
    {
      ...{ tokens, updates: [2], heads: [{ layer: 0, head: 0, lives }] },
      schedule: { updateInterval: 2, maxTokensPerForward: 2 },
    },
    'namm',
    new ByteTokenizer(),
  );
  const [picture] = sections[2]!.pictures;
  const pieces = picture?.kind === 'text' ? picture.pieces : [];
  expect(pieces.map(({ text }) => text)).toEqual(['a', '\ufffd']);
  expect(pieces[0]!.note).toContain('spectrum █▅▂, largest 4.00');
});
