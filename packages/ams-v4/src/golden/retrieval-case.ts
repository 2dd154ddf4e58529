import type { GoldenHandler } from '@palimpsest/base/golden';
import { type tf, valueAndGradient } from '@palimpsest/tensor-core';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import { bundleWeights, fusedScores, retrievalLoss } from '../retrieval/fused-score.js';
import { gate, rankOf, scoreProbabilities } from '../retrieval/gate.js';
import { runCase } from './case-parts.js';

/** Fused scores, the gate, ranks and the gradients of the retrieval loss. */
export const retrievalCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'v47-fused-retrieval',
  run: async (testCase, context) => {
    const { tau, fusedTopK: k, pMin } = testCase.member('config', { tau: 1, fusedTopK: 1, pMin: 0 });
    const per = (name: string) => ({
      time: testCase.array<'float32'>(`in/${name}.time`),
      topic: testCase.array<'float32'>(`in/${name}.topic`),
      ctx: testCase.array<'float32'>(`in/${name}.ctx`),
    });
    type Given = { query: PerBundle<tf.Tensor>; dirn: PerBundle<tf.Tensor>; raw: tf.Tensor };
    const given = { query: per('query'), dirn: per('dirn'), raw: testCase.array('weights/rawBundleWeight') };
    const { value, gradients, aux } = await runCase(
      context,
      (inputs: Given, target: tf.Tensor) =>
        valueAndGradient(({ query, dirn, raw }: Given) => {
          const scores = fusedScores(query, dirn, raw);
          return [retrievalLoss(scores, target, tau), { scores, weights: bundleWeights(raw) }] as const;
        }, inputs),
      given,
      testCase.array('in/target'),
    );
    const [queries, memories] = aux.scores.shape as [number, number];
    const rows = Array.from({ length: queries }, (_, row) =>
      Array.from(aux.scores.data.slice(row * memories, (row + 1) * memories)),
    );
    const gated = rows.map((scores) => gate(scores, { tau, k, pMin }));
    const targets = testCase.integers('in/target');
    return {
      'out/bundleWeight': aux.weights.data,
      'out/score': aux.scores.data,
      'out/topIds': gated.flatMap((memories) => memories.map(({ index }) => index)),
      'out/prob': rows.flatMap((scores) => [...scoreProbabilities(scores, tau)]),
      'out/keep': gated.flatMap((memories) => memories.map(({ kept }) => Number(kept))),
      'out/rank': rows.map((scores, row) => rankOf(scores, targets[row]!)),
      'out/loss': value.data,
      'grad/rawBundleWeight': gradients.raw!.data,
      ...Object.fromEntries(
        (['query', 'dirn'] as const).flatMap((side) =>
          (['time', 'topic', 'ctx'] as const).map((bundle) => [
            `grad/in.${side}.${bundle}`,
            gradients[side][bundle]!.data,
          ]),
        ),
      ),
    };
  },
};
