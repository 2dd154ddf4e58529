import type { GoldenHandler } from '@palimpsest/base/golden';
import { Session } from '@palimpsest/lm';
import type { Engine, NDArray } from '@palimpsest/tensor-core';
import { createOmModel } from '../sequence-model.js';
import { modelOf } from './case-parts.js';

/** Greedy text by the session that ships, with cached keys and values. */
export const generateCase: GoldenHandler = {
  system: 'om-arc',
  kind: 'generate',
  async run(testCase, { engine }) {
    const { config, params } = modelOf(testCase);
    const { numLayers, stateLen, dimInput, vocabOffset } = config;
    const model = createOmModel(config);
    const prompt = testCase.array<'int32'>('in/prompt');
    const [batch, length] = prompt.shape as [number, number];
    const newTokens = testCase.member('newTokens', 1);
    const tokens: number[] = [];
    const logits: number[] = [];
    const size = stateLen * dimInput;
    const states = Array.from({ length: numLayers }, () => new Float32Array(batch * size));
    for (let row = 0; row < batch; row++) {
      const session = await Session.create({
        engine: engine as Engine,
        model,
        params,
        sampling: { temperature: 0 },
      });
      await session.prefill(prompt.data.subarray(row * length, (row + 1) * length));
      for (let step = 0; step < newTokens; step++) {
        logits.push(...(await session.logits()), ...new Array<number>(vocabOffset).fill(-Infinity));
        tokens.push((await session.next()).id);
      }
      const { state } = await session.snapshot();
      await session.dispose();
      const all = (state.states as NDArray).data as Float32Array;
      for (const [index, layer] of states.entries()) {
        layer.set(all.subarray(index * size, (index + 1) * size), row * size);
      }
    }
    return {
      'out/tokens': tokens,
      'out/logits': logits,
      ...Object.fromEntries(states.map((layer, index) => [`state/layer${index}`, layer])),
    };
  },
};
