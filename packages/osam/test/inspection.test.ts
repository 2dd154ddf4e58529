import { CharacterTokenizer } from '@palimpsest/lm';
import { createEngine, Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { inspectOsam } from '../src/inspection.js';
import { createOsamModel } from '../src/model.js';

const text = 'the cat sat on the mat';
const tokenizer = CharacterTokenizer.fromText(text);
const model = createOsamModel({
  ...{ vocabSize: tokenizer.vocabSize, dModel: 16, layers: 2, heads: 2, headDecays: [1, 0.5] },
  ...{ featurePath: false, valueKernel: 'exact', convWidth: 2, norm: 'pre' },
});
const params = model.init(Rng.fromSeed(3));

interface Data {
  readonly heads: readonly { block: number; head: number; shares: readonly number[] }[];
}

async function inspect(given: string) {
  const engine = await createEngine('cpu');
  try {
    const checkpoint = { folder: 'here', model, params, tokenizer } as const;
    return await inspectOsam({ engine, checkpoint: checkpoint as never, text: given });
  } finally {
    await engine.dispose();
  }
}

describe('what the last token reads', () => {
  it('are signed shares of all earlier tokens, and a head that forgets reads late ones', async () => {
    const { data, sections } = await inspect(text);
    const { heads } = data as unknown as Data;
    expect(heads).toHaveLength(4);
    for (const { shares } of heads) {
      expect(shares).toHaveLength(text.length - 1);
      expect(shares.reduce((sum, share) => sum + Math.abs(share), 0)).toBeCloseTo(1, 10);
    }
    const early = (head: number) =>
      heads
        .filter((read) => read.head === head)
        .flatMap(({ shares }) => shares.slice(0, 8))
        .reduce((sum, share) => sum + Math.abs(share), 0);
    expect(early(1)).toBeLessThan(0.01);
    expect(early(0)).toBeGreaterThan(0.1);
    const [picture] = sections[0]!.pictures;
    expect(picture?.kind === 'text' && picture.pieces.map((piece) => piece.text).join('')).toBe(text);
  });

  it('do not depend on what a text without memory of its own begins with, but on every token before the last', async () => {
    const shares = async (given: string) =>
      ((await inspect(given)).data as unknown as Data).heads.map((head) => head.shares.at(-1));
    expect(await shares(text)).not.toEqual(await shares(text.replace('cat', 'mat')));
  });

  it('are refused for a text without anything to read', async () => {
    await expect(inspect('t')).rejects.toThrow(/at least two/);
  });
});
