import { readFileSync } from 'node:fs';
import { evaluateText, Session } from '@palimpsest/lm';
import { shippedModels } from '@palimpsest/models';
import { type Recall, recallAfter } from '@palimpsest/models/facts';
import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, openLanguageModel } from '../../src/models/open-language-model.js';
import { shipped } from '../../src/models/shipped.js';
import { standardRegistry } from '../../src/registry.js';

const heldOut = readFileSync(new URL('../../../models/test/held-out.txt', import.meta.url), 'utf8');
const cards = shippedModels();

describe('shipped models', () => {
  it.each(cards.map((card) => [card.name, card] as const))(
    '%s is as good as its card says',
    async (name, card) => {
      const { model, params, tokenizer } = await openCheckpoint(name);
      const engine = await createEngine('onnx', { threads: 1 });
      try {
        const { value, seeds, distance } = card.check;
        if (seeds === undefined || distance === undefined) {
          const ids = tokenizer.encode(heldOut);
          const { loss } = await evaluateText(engine, model, params, ids, { chunk: 64 });
          expect(loss).toBeCloseTo(value, 3);
          return;
        }
        const session = await Session.create({ engine, model, params });
        const all: Recall[] = [];
        for (const seed of seeds) all.push(await recallAfter({ session, tokenizer }, { seed, distance }));
        const sum = (key: 'right' | 'asked') => all.reduce((total, recall) => total + recall[key], 0);
        // Another processor may round one answer to the other side.
        expect(Math.abs(sum('right') / sum('asked') - value)).toBeLessThanOrEqual(1 / sum('asked'));
        await session.dispose();
      } finally {
        await engine.dispose();
      }
    },
  );

  it.each(cards.map(({ name, prompt }) => [name, prompt] as const))(
    '%s says the same on cpu as on onnx',
    async (name, prompt) => {
      const { model, params, tokenizer } = await openLanguageModel(name);
      const read = async (engineName: 'cpu' | 'onnx') => {
        const engine = await createEngine(engineName);
        const session = await Session.create({ engine, model, params });
        await session.append(tokenizer.encode(prompt));
        const logits = (await session.logits()).slice();
        await session.dispose();
        await engine.dispose();
        return logits;
      };
      const [own, other] = [await read('cpu'), await read('onnx')];
      const furthest = own.reduce((most, logit, id) => Math.max(most, Math.abs(logit - other[id]!)), 0);
      expect(furthest).toBeLessThan(1e-3);
    },
  );

  it.each(['om-arc', 'rsm'])('%s reads text as well with weights of 8 bits', async (name) => {
    const engine = await createEngine('onnx', { threads: 1 });
    const lossOf = async (weights: '32bit' | '8bit') => {
      const { model, params, tokenizer } = await openLanguageModel(name, standardRegistry, { weights });
      const { loss } = await evaluateText(engine, model, params, tokenizer.encode(heldOut), { chunk: 64 });
      return loss;
    };
    const [exact, inBytes] = [await lossOf('32bit'), await lossOf('8bit')];
    await engine.dispose();
    expect(inBytes).not.toBe(exact);
    expect(Math.abs(inBytes - exact)).toBeLessThan(0.003);
  });

  it('with no decoder of 8 bits say so, and none has 4 or 16', async () => {
    const open = (name: string, weights: '4bit' | '8bit' | '16bit') =>
      openLanguageModel(name, standardRegistry, { weights });
    for (const name of ['osam', 'window'])
      await expect(open(name, '8bit')).rejects.toThrow('is not decoded in 8 bits');
    for (const weights of ['4bit', '16bit'] as const)
      await expect(open('om-arc', weights)).rejects.toThrow(
        `only weights of such can be read with ${weights}`,
      );
  });

  it('are listed with the session model of this package', () => {
    expect(shipped().map(({ name }) => name)).toEqual([...cards.map(({ name }) => name), 'session']);
  });

  it('stand behind folders of the same name', async () => {
    await expect(openCheckpoint('no-such-model')).rejects.toThrow("no checkpoint folder 'no-such-model'");
  });
});
