import { Session } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { CausalDecoder } from '../src/index.js';
import { lively, randomTokens, smallModel } from './support/models.js';

const engine = await createEngine('onnx');
afterAll(() => engine.dispose());

describe('a session of lm over the default preset', () => {
  it('reads pieces of 64, of 8 and single tokens like the decoder, and forks at any place of a chunk', async () => {
    const model = smallModel({ windowSize: 7 });
    const params = lively(model);
    const ids = Array.from(randomTokens(1, 64 + 8 + 3, model.vocabSize).data, Number);
    const decoder = await CausalDecoder.create({ engine, model, params });
    let expected = new Float32Array();
    for (const id of ids) expected = (await decoder.next([id])) as Float32Array<ArrayBuffer>;

    const session = await Session.create({ engine, model, params });
    await session.append(ids);
    const close = (actual: ArrayLike<number>, target: ArrayLike<number>) => {
      const scale = Math.max(1, ...Array.from(target, Math.abs));
      Array.from(actual).forEach((value, index) => {
        expect(Math.abs(value - target[index]!)).toBeLessThan(2e-5 * scale);
      });
    };
    close(await session.logits(), expected);

    // The fork goes on by itself; caches that are written in place must not be shared.
    const [fork] = (await session.fork(1)) as [Session];
    for (const id of [1, 2, 3, 4, 5, 6, 7, 8]) await fork.append([id]);
    close(await session.logits(), expected);
    await session.append([9]);
    close(await session.logits(), await decoder.next([9]));
    for (const part of [session, fork, decoder]) await part.dispose();
    expect(engine.memory().arrays).toBe(0);
  });
});
