import { softmax, tf } from '@palimpsest/tensor-core';
import { contextualBias } from './contextual-position.js';
import type { Place } from './dropout.js';
import {
  type ArcParams,
  type LambdaParams,
  type NormParams,
  type PassParams,
  type ProjectionParams,
  type Regions,
  regionOf,
} from './parameters.js';
import { lambdaInit, type PassPlan, tableLength } from './plan.js';
import { groupNorm, groupProduct, plainNorm, splitProduct } from './products.js';
import { type RowNumbers, rotate } from './rotary.js';
import type { Setup } from './setup.js';

export type Region = 'read' | 'token' | 'write';

/** Rows of one region that enter the memory, `[l, batch, count, d]`. */
export interface RowGroup {
  readonly region: Region;
  readonly rows: tf.Tensor;
}

/** What a row leaves for later rows in one attention, `[l·H, batch, keys, width]` each. */
export interface Keys {
  readonly key: tf.Tensor;
  readonly value: tf.Tensor;
  /** Unrotated, where the contextual positions need it and a rotary embedder changes it. */
  readonly plain?: tf.Tensor | undefined;
}

/** Keys made of those of one or more sets. */
export function keysOfStages(sets: readonly Keys[], combine: (tensors: tf.Tensor[]) => tf.Tensor): Keys {
  const all = (pick: (keys: Keys) => tf.Tensor) => combine(sets.map(pick));
  return {
    key: all(({ key }) => key),
    value: all(({ value }) => value),
    plain: sets[0]!.plain && all(({ plain }) => plain!),
  };
}

/** Keys of every pass and of every attention in it. */
export type MemoryKeys = readonly (readonly Keys[])[];

/** Where the new rows stand and what they may see. */
export interface Frame {
  /** Layers at work, along the first axis of everything. */
  readonly places: readonly Place[];
  /** Places of the new rows in the layout. */
  readonly rows: RowNumbers;
  /** Additive, `[rows, keys]` or `[batch, rows, keys]`. */
  readonly mask: tf.Tensor;
  /** Keys whose gates count in contextual positions, as `mask` of 0 and 1. Absent: all. */
  readonly counted?: tf.Tensor | undefined;
}

export interface MemoryResult {
  /** Of the rows that are not read rows, after the last pass: `[l·H, batch, rows, width]`. Absent when all are. */
  readonly heads?: tf.Tensor;
  /** Of the new rows. */
  readonly keys: MemoryKeys;
}

interface PassContext {
  readonly setup: Setup;
  readonly plan: PassPlan;
  readonly params: PassParams;
  readonly groups: readonly RowGroup[];
  readonly frame: Frame;
  /** Leading rows whose output nobody reads. */
  readonly unread: number;
}

/**
 * The passes of the memory over the rows of [read | tokens | write] that are given, in this order: the rows of a whole
 * segment, the read rows alone, some tokens after others, the write rows at the end. What stands before them comes as the
 * keys that it left, so that all of these are one function.
 * @param params of the layers in `frame.places`, stacked
 * @param earlier keys of the rows before; absent when there are none
 */
export function runPasses(
  setup: Setup,
  params: ArcParams,
  groups: readonly RowGroup[],
  frame: Frame,
  earlier?: MemoryKeys,
): MemoryResult {
  const readRows =
    groups.filter(({ region }) => region === 'read').length > 0 ? groups[0]!.rows.shape[2]! : 0;
  const isReadOnly = groups.every(({ region }) => region === 'read');
  const keys: Keys[][] = [];
  let rows: tf.Tensor | undefined;
  for (const plan of setup.plans) {
    const pass = params.passes[plan.index]!;
    const unread = plan.isLast && !isReadOnly ? readRows : 0;
    const context = { setup, plan, params: pass, groups, frame, unread };
    const result = runPass(context, rows, earlier?.[plan.index], isReadOnly && plan.isLast);
    keys.push(result.keys);
    if (!result.output) return { keys };
    const mixed = pass.mix
      ? byRegion(groups, result.output, (x, region) => groupProduct(x, regionOf(pass.mix!, region)))
      : result.output;
    rows = mixed;
  }
  return { heads: rows!, keys };
}

/** Applies a map of its own to every region of rows along axis 2. */
function byRegion(
  groups: readonly RowGroup[],
  x: tf.Tensor,
  map: (rows: tf.Tensor, region: Region) => tf.Tensor,
): tf.Tensor {
  if (groups.length === 1) return map(x, groups[0]!.region);
  const pieces = tf.split(
    x,
    groups.map(({ rows }) => rows.shape[2]!),
    2,
  );
  return tf.concat(
    pieces.map((piece, i) => map(piece, groups[i]!.region)),
    2,
  );
}

/** Inner projection per region, of rows that are no read rows. */
export function projectRegions(
  groups: readonly RowGroup[],
  heads: tf.Tensor,
  weights: Regions<tf.Tensor>,
): tf.Tensor {
  const kept = groups.filter(({ region }) => region !== 'read');
  return byRegion(kept, heads, (x, region) => groupProduct(x, regionOf(weights, region)));
}

function runPass(
  context: PassContext,
  rows: tf.Tensor | undefined,
  earlier: readonly Keys[] | undefined,
  keysOnly: boolean,
): { output?: tf.Tensor; keys: Keys[] } {
  if (context.plan.kind === 'hopfield') return runHopfield(context, rows, earlier, keysOnly);
  const packed = enter(context, rows, 'qkv');
  const { plan, setup, params } = context;
  const stage = prepare(context, packed, earlier?.[0], true);
  if (keysOnly) return { keys: [stage.fresh] };
  const probabilities = attend(context, stage, params.cope);
  if (plan.kind === 'ordinary') return { output: read(probabilities[0]!, stage), keys: [stage.fresh] };
  const lambda = lambdaOf(context);
  const difference = tf.sub(probabilities[0]!, tf.mul(lambda, probabilities[1]!));
  const normal = headNorm(read(difference, stage), params.outputNorm!);
  const output = setup.config.stackedAttn ? tf.mul(normal, keptShare(context)) : normal;
  return { output, keys: [stage.fresh] };
}

/** The rows that enter a pass, projected: into queries, keys and values, or into hidden vectors. */
function enter(
  { setup, plan, params, groups }: PassContext,
  rows: tf.Tensor | undefined,
  into: 'qkv' | 'hidden',
): tf.Tensor {
  const { numHeads: heads } = setup.config;
  const project = (x: tf.Tensor, region: Region) => {
    const weights = regionOf(params.projections, region);
    const product = project0(x, weights, weights[into]!, plan, heads);
    return into === 'qkv' ? normQkv(product, weights, plan) : product;
  };
  if (rows) return byRegion(groups, rows, project);
  const pieces = groups.map((group) => project(group.rows, group.region));
  return pieces.length === 1 ? pieces[0]! : tf.concat(pieces, 2);
}

function project0(
  x: tf.Tensor,
  { inputNorm }: ProjectionParams,
  weight: tf.Tensor,
  plan: PassPlan,
  heads: number,
): tf.Tensor {
  if (plan.index > 0) return groupProduct(inputNorm ? headNorm(x, inputNorm) : x, weight);
  if (!inputNorm) return splitProduct(x, weight, heads);
  // Every head has gains of its own, so that the heads no longer share their input.
  const [l, batch, rows, d] = x.shape as [number, number, number, number];
  const normal = tf.reshape(plainNorm(x), [l, 1, batch * rows, d]);
  const shape = [l, heads, 1, d];
  const scaled = tf.add(tf.mul(normal, tf.reshape(inputNorm.gain, shape)), tf.reshape(inputNorm.bias, shape));
  const perHead = tf.transpose(tf.reshape(weight, [l, d, heads, weight.shape[2]! / heads]), [0, 2, 1, 3]);
  return groupProduct(tf.reshape(scaled, [l * heads, batch, rows, d]), perHead);
}

function normQkv(packed: tf.Tensor, weights: ProjectionParams, plan: PassPlan): tf.Tensor {
  const { queryNorm, keyNorm, valueNorm } = weights;
  if (!queryNorm || !keyNorm || !valueNorm) return packed;
  const parts = plan.kind === 'differential' ? 2 : 1;
  const [q, k, v] = tf.split(
    packed,
    [parts * plan.keyWidth, parts * plan.keyWidth, parts * plan.valueWidth],
    -1,
  );
  return tf.concat([headNorm(q!, queryNorm), headNorm(k!, keyNorm), headNorm(v!, valueNorm)], -1);
}

/** Layer norm with the gains of every head. @param norm `[l, H, width]` */
const headNorm = (x: tf.Tensor, norm: NormParams) => groupNorm(x, norm);

/** Queries, and all keys that they attend to. */
interface Stage {
  /** One per part: `[l·H, batch, queries, κ]`, scaled and rotated; as they were. */
  readonly queries: readonly tf.Tensor[];
  readonly plainQueries: readonly tf.Tensor[];
  readonly keys: readonly tf.Tensor[];
  readonly plainKeys: readonly tf.Tensor[];
  readonly values: tf.Tensor;
  readonly fresh: Keys;
}

function prepare(
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
function attend(
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

const read = (probabilities: tf.Tensor, { values }: Stage) => tf.matMul(probabilities, values);

/** λ of every head, `[l·H, 1, 1, 1]`: exp(λq₁·λk₁) − exp(λq₂·λk₂) + λ₀. */
function lambdaOf({ params, frame, setup }: PassContext): tf.Tensor {
  const { query1, key1, query2, key2 } = params.lambda as LambdaParams;
  const dot = (a: tf.Tensor, b: tf.Tensor) => tf.exp(tf.sum(tf.mul(a, b), 2));
  const first = tf.tensor2d(frame.places.map(({ layer }) => [lambdaInit(layer)]));
  const lambda = tf.add(tf.sub(dot(query1, key1), dot(query2, key2)), first);
  return tf.reshape(lambda, [frame.places.length * setup.config.numHeads, 1, 1, 1]);
}

/** 1 − λ₀ of every head's layer, `[l·H, 1, 1, 1]`. */
function keptShare({ frame, setup }: PassContext): tf.Tensor {
  const heads = setup.config.numHeads;
  const shares = frame.places.flatMap(({ layer }) => new Array<number>(heads).fill(1 - lambdaInit(layer)));
  return tf.tensor4d(shares, [shares.length, 1, 1, 1]);
}

/**
 * A Hopfield pass: hidden vectors that are repeatedly replaced by what they retrieve (Ramsauer et al. 2021). Keys and values
 * are computed once; the readme edition computes them anew in every iteration, with positions in the first only.
 */
function runHopfield(
  context: PassContext,
  rows: tf.Tensor | undefined,
  earlier: readonly Keys[] | undefined,
  keysOnly: boolean,
): { output?: tf.Tensor; keys: Keys[] } {
  const { plan, params, groups } = context;
  const { valueWidth: width, iterations, stages } = plan;
  // Where keys are computed anew, even rows that nobody reads are needed to the end.
  const inner = stages > 1 ? { ...context, unread: 0 } : context;
  const kept = groups.filter(({ region }) => inner.unread === 0 || region !== 'read');
  const pack = (hidden: tf.Tensor) =>
    byRegion(groups, hidden, (x, region) => {
      const weights = regionOf(params.projections, region);
      return normQkv(groupProduct(x, weights.qkv), weights, plan);
    });
  let stage = prepare(inner, pack(enter(context, rows, 'hidden')), earlier?.[0], true);
  const keys = [stage.fresh];
  if (keysOnly && stages === 1) return { keys };
  let hidden = read(attend(inner, stage, params.cope)[0]!, stage);
  for (let iteration = 1; iteration < iterations; iteration++) {
    if (stages > 1) {
      stage = prepare(inner, pack(hidden), earlier?.[iteration], false);
      keys.push(stage.fresh);
      hidden = read(attend(inner, stage, undefined)[0]!, stage);
      continue;
    }
    const query = byRegion(kept, hidden, (x, region) => {
      const weights = regionOf(params.projections, region);
      const product = groupProduct(x, tf.slice(weights.qkv, [0, 0, 0, 0], [-1, -1, -1, width]));
      return weights.queryNorm ? headNorm(product, weights.queryNorm) : product;
    });
    stage = { ...stage, queries: [tf.mul(query, plan.scale)], plainQueries: [query] };
    hidden = read(attend(inner, stage, params.cope)[0]!, stage);
  }
  if (keysOnly) return { keys };
  const dropped = context.unread - inner.unread;
  const output = dropped === 0 ? hidden : tf.slice(hidden, [0, 0, dropped, 0], [-1, -1, -1, -1]);
  return { output, keys };
}
