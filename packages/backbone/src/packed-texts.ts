import {
  InputError,
  type Matrix,
  matrixLinear,
  type NDArray,
  ndarray,
  pickRows,
  spreadRows,
  tf,
} from '@palimpsest/tensor-core';
import { blockForward, normalise, type RowSelection } from './block.js';
import type { TransformerState } from './cache.js';
import type { TransformerConfig } from './config.js';
import { cachePlans, type DecoderTables, layerAngles } from './decoder.js';
import { type DecoderInput, inputRows } from './input-rows.js';
import type { BlockParameters, TransformerParameters } from './parameters.js';
import { embedPositions, placeRows } from './positions.js';

/**
 * Which rows of texts with padding at the right are computed, and which of those are read. The padding costs nothing but its share of
 * the attention, and the last block goes over those rows alone that are read, beyond their keys and values.
 */
export interface PackedTexts<T = tf.Tensor> {
  /** int32 `[rows]`, distinct: flat places `text · time + t` of the rows. */
  readonly places: T;
  /** int32 `[rows · (heads + 2 keyValueHeads)]`: where each head of each row lies in `[batch, heads + 2 keyValueHeads, time]`. */
  readonly spread: T;
  /** int32 `[rows · heads]`: where what each head read for each row lies in `[batch, heads, time]`. */
  readonly collect: T;
  /** int32 `[read]`, distinct: which of the rows are read. */
  readonly read: T;
  /** float32 `[batch, 1, most, time]`: 1 where the i-th row of a text that is read stands at t. */
  readonly queries: T;
  /** int32 `[read · heads]`: where what each head read for each row that is read lies in `[batch, heads, most]`. */
  readonly slots: T;
}

/** Each number of rows is a graph of its own; so there are few of them, up to an eighth apart. */
const roundUp = (count: number): number => {
  const step = Math.max(8, 2 ** Math.floor(Math.log2(count)) / 8);
  return step * Math.ceil(count / step);
};

type AnyBlock = BlockParameters<tf.Tensor, Matrix>;

/** So many rows of each text are read at most, in steps of this. */
const READ_STEP = 4;

/** Numbers of a list and then others below a bound that are not in it, until there are enough. */
function filled(list: readonly number[], count: number, bound: number): Int32Array {
  const taken = new Set(list);
  const others: number[] = [];
  for (let i = 0; taken.size < count && i < bound; i++) {
    if (taken.has(i)) continue;
    taken.add(i);
    others.push(i);
  }
  return Int32Array.from([...list, ...others]);
}

/** Where heads of rows lie in `[batch, heads, time]`, from places `text · time + t` of the rows. */
function byHead(places: Int32Array, heads: number, time: number): NDArray<'int32'> {
  const list = new Int32Array(places.length * heads);
  for (const [row, place] of places.entries()) {
    const first = place + Math.floor(place / time) * (heads - 1) * time;
    for (let head = 0; head < heads; head++) list[row * heads + head] = first + head * time;
  }
  return ndarray(list, [list.length], 'int32');
}

/**
 * How texts of unequal length are packed.
 * @param model heads of the transformer that reads them
 * @param texts rows of each text that are no padding, those of a prefix included, and which of them are read, in the order of their results
 * @param time rows of each text with its padding
 * @returns rows that fill a number up come behind those that are read; nothing is to be made of their logits
 * @throws InputError when no row is read, or one that a text does not have, or one twice.
 */
export function packTexts(
  { heads, keyValueHeads }: Pick<TransformerConfig, 'heads' | 'keyValueHeads'>,
  texts: readonly { readonly length: number; readonly read: readonly number[] }[],
  time: number,
): PackedTexts<NDArray> {
  const batch = texts.length;
  for (const { length, read } of texts) {
    if (length <= time && new Set(read).size === read.length && read.every((t) => t >= 0 && t < length))
      continue;
    throw new InputError(
      `Of a text of ${length} rows among ${time} distinct ones can be read, but [${read.join(', ')}] were asked for.`,
    );
  }
  const rows = texts.flatMap(({ length }, text) => Array.from({ length }, (_, t) => text * time + t));
  const wanted = texts.flatMap(({ read }, text) => read.map((t, i) => ({ text, i, place: text * time + t })));
  if (wanted.length === 0) throw new InputError('Packed texts need at least one row that is read.');
  const places = filled(rows, Math.min(roundUp(rows.length), batch * time), batch * time);
  const count = Math.min(roundUp(wanted.length), places.length);
  const longest = Math.max(...texts.map(({ read }) => read.length), Math.ceil(count / batch));
  const most = Math.min(READ_STEP * Math.ceil(longest / READ_STEP), Math.max(time, longest));
  const rowAt = new Map(Array.from(places, (place, row) => [place, row]));
  const queries = new Float32Array(batch * most * time);
  for (const { text, i, place } of wanted) queries[(text * most + i) * time + (place % time)] = 1;
  const list = (values: Int32Array) => ndarray(values, [values.length], 'int32');
  const slots = filled(
    wanted.map(({ text, i }) => text * most + i),
    count,
    batch * most,
  );
  return {
    places: list(places),
    spread: byHead(places, heads + 2 * keyValueHeads, time),
    collect: byHead(places, heads, time),
    read: list(
      filled(
        wanted.map(({ place }) => rowAt.get(place)!),
        count,
        places.length,
      ),
    ),
    queries: ndarray(queries, [batch, 1, most, time]),
    slots: byHead(slots, heads, most),
  };
}

/**
 * A block whose gains of RMS norms, and the scale of whose queries, are part of the matrices behind them: frozen matrices are
 * multiplied once, and there is less to go back through.
 */
function folded(
  block: AnyBlock,
  config: TransformerConfig,
): { readonly block: AnyBlock; readonly scale: number } {
  const { attentionNorm, queryKeyValue, mlpNorm, up, queryNorm } = block;
  const [first, second] = [queryKeyValue.weight, up.weight];
  const isPlain = first instanceof tf.Tensor && second instanceof tf.Tensor;
  const isChanged = queryKeyValue.adapters || up.adapters || attentionNorm.bias || mlpNorm.bias || queryNorm;
  if (!isPlain || isChanged) return { block, scale: config.attentionScale };
  const queries = config.heads * config.headWidth;
  const scales = tf.concat(
    [tf.fill([queries], config.attentionScale), tf.ones([first.shape[0]! - queries])],
    0,
  );
  const { bias } = queryKeyValue;
  return {
    scale: 1,
    block: {
      ...block,
      attentionNorm: { gain: tf.onesLike(attentionNorm.gain) },
      mlpNorm: { gain: tf.onesLike(mlpNorm.gain) },
      queryKeyValue: {
        weight: tf.mul(tf.mul(first, attentionNorm.gain), tf.expandDims(scales, 1)),
        bias: bias && tf.mul(bias, scales),
      },
      up: { ...up, weight: tf.mul(second, mlpNorm.gain) },
    },
  };
}

/**
 * Runs a decoder over texts from their beginning, without their padding.
 * @param state an empty one
 * @returns logits of the rows that are read, `[read, vocabSize]`
 * @throws InputError when the shapes of the input do not fit the model.
 */
export function runPacked(
  config: TransformerConfig,
  tables: DecoderTables,
  parameters: TransformerParameters<tf.Tensor, Matrix>,
  input: Pick<DecoderInput, 'tokens' | 'softPrefix'>,
  packed: PackedTexts,
  state: TransformerState,
): tf.Tensor2D {
  const rows = inputRows(config, parameters, input);
  const { batch, time } = rows;
  const where = placeRows(config, rows, input, state);
  const embedded = embedPositions(config, tables, parameters, rows.embeddings, where);
  const anglesOf = layerAngles(config, tables, where, time);
  const planOf = cachePlans(config, rows, where, state, undefined);
  const { headWidth, heads, keyValueHeads } = config;
  const rowsOfHeads = (x: tf.Tensor) => tf.reshape(x, [x.size / headWidth, headWidth]);
  const every = heads + 2 * keyValueHeads;
  const atPlaces = (x: tf.Tensor) =>
    tf.reshape(spreadRows(rowsOfHeads(x), packed.spread, batch * every * time), [
      batch,
      every,
      time,
      headWidth,
    ]);
  const collected = (list: tf.Tensor) => (x: tf.Tensor) =>
    tf.reshape(pickRows(rowsOfHeads(x), list), [list.size / heads, heads * headWidth]);
  const all: RowSelection = { spread: atPlaces, collect: collected(packed.collect) };
  const last: RowSelection = {
    spread: atPlaces,
    collect: collected(packed.slots),
    kept: { rows: (x) => pickRows(x, packed.read), queries: (x) => tf.matMul(packed.queries, x) },
  };
  let x = pickRows(tf.reshape(embedded, [batch * time, config.modelWidth]), packed.places);
  parameters.blocks
    .map((block) => folded(block, config))
    .forEach(({ block, scale }, layer) => {
      x = blockForward(block, x, {
        config: { ...config, attentionScale: scale },
        batch,
        time,
        cache: state.layers[layer]!,
        plan: planOf(layer),
        angles: anglesOf(layer),
        observedQueries: 0,
        selection: layer === parameters.blocks.length - 1 ? last : all,
      }).rows;
    });
  const final = normalise(x, parameters.norm, config);
  return matrixLinear(final, parameters.head?.weight ?? parameters.tokenEmbedding) as tf.Tensor2D;
}
