import { evict, type Transformer, type TransformerParameters } from '@palimpsest/backbone';
import { stopGradient, tf } from '@palimpsest/tensor-core';
import { groupMean } from '../features/attention-rows.js';
import type { CachePolicy, PolicyState } from '../policy/policy.js';
import { retentionMask } from '../policy/retention-mask.js';
import { ManagedFunctions } from './functions.js';
import { pieces, type Schedule } from './schedule.js';
import { evictableLayer, type ManagedState } from './state.js';

/**
 * Reads texts from their beginning in one graph: what is evicted is hidden from later queries and stays in place, which gives the
 * same logits as a cache that shrinks. Gradients reach the model through what it still sees; a policy has none.
 * @param tokens int32 `[batch, time]`
 * @returns logits `[batch, time, vocabSize]`
 */
export function readFromTheStart(
  model: Transformer,
  policy: CachePolicy,
  schedule: Schedule,
  params: TransformerParameters,
  tokens: tf.Tensor,
  dropoutKey?: tf.Tensor,
): tf.Tensor3D {
  const [batch, time] = tokens.shape as [number, number];
  const functions = new ManagedFunctions(model, policy);
  const { keyValueHeads: heads } = model.options;
  const { needs, observe, retention } = policy;
  const logits: tf.Tensor[] = [];
  let carried: (PolicyState | undefined)[] = [];
  let state = model.initState(params, batch);
  for (const { from, count, updates } of pieces(0, time, schedule)) {
    const part = tf.slice(tokens, [0, from], [batch, count]);
    const observed = needs.rows === 'all' ? count : Math.min(needs.rows, count);
    const result = model.run(params, { tokens: part }, state, {
      placement: 'extend',
      ...(observe && { observedQueries: observed, queries: needs.queries }),
      ...(dropoutKey && { training: true, dropoutKey: tf.add(dropoutKey, tf.tensor1d([from, 0], 'int32')) }),
    });
    logits.push(result.logits!);
    state = result.state;
    const queryPositions = tf.broadcastTo(tf.reshape(tf.range(from, from + count, 1, 'int32'), [1, count]), [
      batch,
      count,
    ]);
    carried = state.layers.map((layer, index) => {
      if (!observe || !functions.manages(index)) return undefined;
      const rows = result.attention?.[index];
      const queries = result.queries?.[index];
      return observe(carried[index], {
        ...{ layer: index, queryPositions, tokens: layer.positions!.shape[2]! },
        ...(rows && { rows: stopGradient(groupMean(rows, heads)) }),
        ...(queries && { queries: stopGradient(queries) }),
      });
    });
    if (!updates || retention.kind === 'everything' || from + count === time) continue;
    const managed: ManagedState = {
      position: state.position,
      seen: state.position,
      layers: state.layers.map(({ keys, values, positions }, index) => {
        const own = carried[index];
        return {
          keys: stopGradient(keys),
          values: stopGradient(values),
          positions: positions!,
          ...(own && { policy: own }),
        };
      }),
    };
    const parameters = managed.layers.map((_, layer) => constants(policy, layer, heads));
    const { scores, policies } = functions.score(managed, parameters, false);
    let next = 0;
    state = {
      ...state,
      layers: state.layers.map((layer, index) => {
        if (!functions.manages(index)) return layer;
        const valid = tf.greaterEqual(layer.positions!, tf.scalar(0, 'int32'));
        const keep = retentionMask(retention, scores[next]!, valid, from + count);
        carried[index] = policies[next];
        next += 1;
        return evict(
          evictableLayer({ keys: layer.keys, values: layer.values, positions: layer.positions! }),
          keep,
        );
      }),
    };
  }
  return (logits.length === 1 ? logits[0]! : tf.concat(logits, 1)) as tf.Tensor3D;
}

/** What a policy reads of a layer, as constants of the graph. */
function constants(policy: CachePolicy, layer: number, heads: number): Record<string, tf.Tensor> {
  const arrays = policy.parameters?.({ layer, heads }) ?? {};
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { data, shape, dtype }]) => [
      name,
      tf.tensor(data, [...shape], dtype),
    ]),
  );
}
