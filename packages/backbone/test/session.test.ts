import { evaluateText, Session, StepDecoder } from '@palimpsest/lm';
import { expect, it } from 'vitest';
import type { Transformer } from '../src/index.js';
import { engines, forwardLogits, livelyModel, maxDifference, randomTokens, withEngine } from './helpers.js';

const PROMPT = 3;
const WRITTEN = 6;

/** The model, and what is asked of it while graphs are made: `forward` of so many tokens, or the cached step. */
function watched(model: Transformer): { model: Transformer; asked: string[] } {
  const asked: string[] = [];
  const forward: Transformer['forward'] = (params, tokens, state, context) => {
    asked.push(`forward ${tokens.shape[1]}`);
    return model.forward(params, tokens, state, context);
  };
  const step: Transformer['step'] = (params, token, state) => {
    asked.push('step');
    return model.step(params, token, state);
  };
  return { model: { ...model, forward, step }, asked };
}

it.each(engines)(
  'a session writes by the cached step, and its logits are those of the whole text at once, on %s',
  async (name) => {
    const { model, params } = livelyModel({ keyValueHeads: 2 });
    // Left to its step: the decoder on the processor has tests of its own.
    const { decoder: _onProcessor, ...stepped } = model;
    await withEngine(name, async (engine) => {
      const { model: seen, asked } = watched(stepped);
      const session = await Session.create({ engine, model: seen, params, chunks: [PROMPT], seed: 5 });
      const text = [...randomTokens(1, PROMPT).data];
      await session.prefill(text);
      expect(asked).toEqual([`forward ${PROMPT}`]);
      const logits = [await session.logits()];
      for (let written = 0; written < WRITTEN; written++) {
        text.push((await session.next({ temperature: 1.5 })).id);
        logits.push(await session.logits());
      }
      await session.dispose();
      // One token after the other, none of them by `forward`; a graph is asked for once, the CPU engine every time.
      expect(new Set(asked.slice(1))).toEqual(new Set(['step']));
      const tokens = { ...randomTokens(1, text.length), data: Int32Array.from(text) };
      const whole = await forwardLogits(engine, model, params, tokens);
      const last = whole.slice((PROMPT - 1) * model.vocabSize);
      expect(
        maxDifference(
          logits.flatMap((row) => [...row]),
          last,
        ),
      ).toBeLessThan(2e-5);
    });
  },
);

it.each(engines)(
  'a text longer than the learned positions is read in pieces that they hold, on %s',
  async (name) => {
    const { model, params } = livelyModel({ positions: 'learned', context: 20, capacity: 20 });
    const ids = [...randomTokens(1, 90).data];
    await withEngine(name, async (engine) => {
      const decoder = await StepDecoder.create(engine, model, params);
      const whole = await decoder.read(ids);
      await decoder.reset();
      let single = new Float32Array();
      for (const id of ids) single = (await decoder.read([id])) as Float32Array<ArrayBuffer>;
      expect(maxDifference([...whole], [...single])).toBeLessThan(2e-5);
      await decoder.dispose();
      const text = Int32Array.from(ids);
      const [usual, short] = [
        await evaluateText(engine, model, params, text),
        await evaluateText(engine, model, params, text, { chunk: 7 }),
      ];
      expect(usual.tokens).toBe(89);
      expect(usual.loss).toBeCloseTo(short.loss, 4);
      await expect(
        evaluateText(engine, model, params, text, { regime: 'windowed', chunk: 30 }),
      ).rejects.toThrow('reads at most 20 at once; give a chunk of 20 or less');
      const windowed = await evaluateText(engine, model, params, text, { regime: 'windowed' });
      expect([windowed.window, windowed.tokens, usual.window]).toEqual([20, 89, undefined]);
    });
  },
);
