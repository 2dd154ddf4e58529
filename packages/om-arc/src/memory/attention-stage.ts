import { softmax, tf } from '@palimpsest/tensor-core';
import { contextualBias } from '../contextual-position.js';
import { type PassPlan, tableLength } from '../plan.js';
import { rotate } from '../rotary.js';
import type { Setup } from '../setup.js';
import { type Keys, keysOfStages } from './keys.js';
import type { PassContext } from './pass-context.js';

/** Queries, and all keys that they attend to. */
export interface Stage {
  /** One per part: `[l·H, batch, queries, κ]`, scaled and rotated; as they were. */
  readonly queries: readonly tf.Tensor[];
  readonly plainQueries: readonly tf.Tensor[];
  readonly keys: readonly tf.Tensor[];
  readonly plainKeys: readonly tf.Tensor[];
  readonly values: tf.Tensor;
  readonly fresh: Keys;
}

/** Splits packed rows into queries and keys with their positions, and puts the keys behind those of earlier rows. */
export function prepare(
  context: PassContext,
  packed: tf.Tensor,
  earlier: Keys | undefined,
  isFirst: boolean,
): Stage {
  const { setup, plan, frame, unread } = context;
  const parts = plan.kind === 'differential' ? 2 : 1;
  const width = parts * plan.keyWidth;
  const [plain, value] = tf.split(packed, [2 * width, parts * plan.valueWidth], -1);
  const halves = (x: tf.Tensor) => tf.split(x, 2, -1);
  const each = (x: tf.Tensor) => (parts === 1 ? [x] : tf.split(x, parts, -1));
  const read = (x: tf.Tensor) => (unread === 0 ? x : tf.slice(x, [0, 0, unread, 0], [-1, -1, -1, -1]));
  const [plainQuery, plainKey] = halves(plain!);
  const angles = isFirst ? setup.angles[plan.index] : undefined;
  const [query, key] = angles
    ? halves(rotate(plain!, angles.at(frame.rows)))
    : [tf.mul(plainQuery!, plan.scale), plainKey];
  const needsPlain = setup.config.cope && angles !== undefined;
  const fresh: Keys = { key: key!, value: value!, plain: needsPlain ? plainKey : undefined };
  const all = earlier ? keysOfStages([earlier, fresh], (tensors) => tf.concat(tensors, 2)) : fresh;
  return {
    queries: each(read(query!)),
    plainQueries: each(read(plainQuery!)),
    keys: each(all.key),
    plainKeys: each(all.plain ?? all.key),
    values: all.value,
    fresh,
  };
}

/** Attention probabilities, one per part. */
export function attend(
  { setup, plan, frame, unread }: PassContext,
  stage: Stage,
  tables: readonly tf.Tensor[] | undefined,
): tf.Tensor[] {
  const { config, drop, watch } = setup;
  const fit = (x: tf.Tensor) => queryRows(x, unread);
  return stage.queries.map((query, part) => {
    const scores = tf.matMul(query, stage.keys[part]!, false, true);
    const G = query.shape[0]!;
    const biased = tables
      ? tf.add(
          scores,
          contextualBias(
            stage.plainQueries[part]!,
            stage.plainKeys[part]!,
            groupTables(tables[part]!, G, config.numHeads),
            frame.counted && fit(frame.counted),
            highestPosition(setup, plan),
          ),
        )
      : scores;
    const probabilities = softmax(tf.add(biased, fit(frame.mask)));
    watch?.(plan.index, probabilities);
    return drop(probabilities, { pass: plan.index }, frame.places);
  });
}

/** What is retrieved, `[l·H, batch, queries, width]`. */
export const read = (probabilities: tf.Tensor, { values }: Stage): tf.Tensor =>
  tf.matMul(probabilities, values);

/** The last rows of a mask, `[1, batch or 1, queries, keys]`. */
function queryRows(mask: tf.Tensor, from: number): tf.Tensor {
  const [rows, keys] = mask.shape.slice(-2) as [number, number];
  const batch = mask.rank === 3 ? mask.shape[0]! : 1;
  const whole = tf.reshape(mask, [1, batch, rows, keys]);
  return from === 0 ? whole : tf.slice(whole, [0, 0, from, 0], [-1, -1, -1, -1]);
}

/** The reference's readme edition cuts differential positions off at the length of the state. */
function highestPosition({ config }: Setup, { kind }: PassPlan): number {
  const { edition, copeVariant, stateLen } = config;
  if (kind === 'differential' && edition === 'readme' && copeVariant === 'reference') return stateLen - 1;
  return tableLength(config) - 1;
}

/** Tables as `[l·H, κ, M]`, also where all heads share one. @param table `[l, H or 1, κ, M]` */
function groupTables(table: tf.Tensor, G: number, heads: number): tf.Tensor {
  const [, own, width, length] = table.shape as [number, number, number, number];
  const each = own === heads ? table : tf.tile(table, [1, heads, 1, 1]);
  return tf.reshape(each, [G, width, length]);
}
