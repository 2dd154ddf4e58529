import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type Engine, type NDArray, ndarray } from '@palimpsest/tensor-core';
import { OpenNAMM } from '../open-namm/open-namm.js';

/** The seed's policy call by call. */
export const openNammCase: GoldenHandler = {
  system: 'namm',
  kind: 'open-namm-components',
  expects: ['lengths'],
  async run(testCase, { engine }) {
    const weights: Record<string, NDArray> = Object.fromEntries(
      [...testCase.weights()].map(([name, { data, shape }]) => [name, ndarray(data, shape)]),
    );
    const make = () =>
      new OpenNAMM({ ...testCase.config, mode: 'parityOpenNamm' }, { weights, engine: engine as Engine });
    const [watched, counted, parts] = [make(), make(), make()];
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const lengths: number[] = [];
    for (let call = 0; testCase.has(`in/attn${call}`); call++) {
      const attention = testCase.array(`in/attn${call}`);
      const cache = { key: testCase.array(`in/key${call}`), value: testCase.array(`in/value${call}`) };
      lengths.push(attention.shape[1]!);
      const { magnitude, features, reduced } = await parts.compute(attention);
      Object.assign(outputs, {
        [`out/magnitude${call}`]: magnitude.data,
        [`out/features${call}`]: features.data,
        [`out/reduced${call}`]: reduced.data,
      });
      const [kept, scores] = await watched.forward(cache, attention, { returnScores: true });
      outputs[`out/scores${call}`] = scores!.data;
      outputs[`out/keep${call}`] = Array.from(scores!.data, (score) => Number(score > 0));
      outputs[`out/key${call}`] = kept.key.data;
      outputs[`out/value${call}`] = kept.value.data;
      outputs[`out/stats${call}`] = Object.values(await counted.evaluateRetention(cache, attention));
    }
    for (const namm of [watched, counted, parts]) await namm.dispose();
    return { ...outputs, lengths };
  },
};
