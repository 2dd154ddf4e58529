import type { GoldenCase, GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import type { Engine, NDArray } from '@palimpsest/tensor-core';
import { type SelectionRule, selectTokens } from '../eviction/select.js';
import { LayerUpdates } from '../layer-updates.js';
import { policyByName } from '../policy/policies.js';
import { joinTokens, positionsFrom } from './policy-case.js';

interface Variant {
  readonly threshold?: number;
  readonly thresholdShift?: number;
  readonly cacheSize?: number | null;
  readonly usesMask?: boolean;
}

function selections(testCase: GoldenCase): GoldenOutputs {
  const outputs: Record<string, GoldenOutputs[string]> = {};
  const scores = testCase.array('in/scores');
  const given = testCase.array('in/mask');
  const mask: NDArray = { ...given, shape: [given.shape[0]!, 1, given.shape[1]!] };
  const variants = testCase.config.selection as Readonly<Record<string, Variant>>;
  for (const [name, { threshold = 0, thresholdShift = 0, cacheSize = null, usesMask }] of Object.entries(
    variants,
  )) {
    const rule: SelectionRule = {
      kind: name.startsWith('top') ? 'topk' : 'binary',
      cacheSize,
      threshold: () => threshold + thresholdShift,
      parity: true,
    };
    const { kept, passedInOrder } = selectTokens(scores, rule, usesMask ? mask : undefined);
    outputs[`out/${name}_indices`] = kept.data;
    outputs[`out/${name}_mask`] = passedInOrder.data;
  }
  const ragged: SelectionRule = { kind: 'binary', cacheSize: null, threshold: () => 0, parity: false };
  return { ...outputs, 'out/ragged_lengths': selectTokens(scores, ragged).lengths.data };
}

async function baseline(testCase: GoldenCase, engine: Engine, name: string): Promise<GoldenOutputs> {
  const { budget } = testCase.config.baselines as { budget: number };
  const outputs: Record<string, GoldenOutputs[string]> = {};
  const keys = testCase.array('in/u0_newKey');
  const updates = new LayerUpdates(engine, policyByName(name, { size: budget }), keys.shape[1]!);
  let [cached, positions, seen]: [NDArray | undefined, NDArray | undefined, number] = [
    undefined,
    undefined,
    0,
  ];
  for (let update = 0; testCase.has(`in/u${update}_newKey`); update++) {
    const fresh = testCase.array(`in/u${update}_newKey`);
    const key = joinTokens(cached, fresh);
    await updates.observe(0, testCase.array(`in/${name}_u${update}_attn`));
    const result = await updates.update(
      0,
      { key, value: key },
      joinTokens(positions, positionsFrom(seen, fresh.shape)),
    );
    [cached, positions, seen] = [result.kv.key, result.positions, seen + fresh.shape[2]!];
    outputs[`out/${name}_u${update}_kept`] = result.kept.data;
    outputs[`out/${name}_u${update}_positions`] = result.positions.data;
    const received = updates.state(0)?.tokens.received;
    if (received) outputs[`state/${name}_u${update}_acc`] = received.data;
  }
  await updates.dispose();
  return outputs;
}

/** What scores decide, and the policies that need nothing learned. */
export const selectionCase: GoldenHandler = {
  system: 'namm',
  kind: 'selection-baselines',
  async run(testCase, { engine }) {
    const { kinds } = testCase.config.baselines as { kinds: readonly string[] };
    const outputs: Record<string, GoldenOutputs[string]> = { ...selections(testCase) };
    for (const kind of kinds) Object.assign(outputs, await baseline(testCase, engine as Engine, kind));
    return outputs;
  },
};
