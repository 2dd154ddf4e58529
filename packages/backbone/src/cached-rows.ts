import { formatShape, InputError, type NDArray, ndarray, zeros } from '@palimpsest/tensor-core';
import { slotsOf, type TransformerState } from './cache.js';
import type { TransformerConfig } from './config.js';
import { layerFrequencies } from './rotary-frequencies.js';

/**
 * Turns cached keys of a layer to other positions, which changes nothing else of them. Layers without rotary positions keep theirs.
 * @param keys `[heads, tokens, headWidth]`, changed in place
 * @param shifts how far each token moves: the new position minus the one at which it was cached, `[tokens]`
 */
export function rotateKeys(
  config: TransformerConfig,
  layer: number,
  keys: Float32Array,
  shifts: ArrayLike<number>,
): void {
  const frequencies = layerFrequencies(config, layer);
  if (!frequencies) return;
  const { headWidth } = config;
  const half = headWidth / 2;
  const tokens = shifts.length;
  for (let token = 0; token < tokens; token++) {
    if (shifts[token] === 0) continue;
    for (let i = 0; i < half; i++) {
      const angle = shifts[token]! * frequencies[i]!;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      for (let at = token * headWidth + i; at < keys.length; at += tokens * headWidth) {
        const [a, b] = [keys[at]!, keys[at + half]!];
        keys[at] = a * cos - b * sin;
        keys[at + half] = b * cos + a * sin;
      }
    }
  }
}

/** Numbers of a token in every layer: its keys and its values. */
export const cachedRowWidth = ({ layers, keyValueHeads, headWidth }: TransformerConfig): number =>
  2 * layers * keyValueHeads * headWidth;

/**
 * Keys and values of tokens of one text, one row per token in the order layer, keys before values, head, component. Keys are turned
 * back to position 0, so that rows can be kept and read again anywhere.
 * @param state on the host, of a cache that is not evictable
 * @param positions positions of the wanted tokens
 * @returns `[tokens, cachedRowWidth]`
 * @throws InputError when the cache does not hold a position, or keeps positions per head.
 */
export function cachedRows(
  config: TransformerConfig,
  state: TransformerState<NDArray>,
  text: number,
  positions: readonly number[],
): NDArray<'float32'> {
  const { keyValueHeads: heads, headWidth } = config;
  const slots = slotsOf(config);
  const held = state.positions?.data.slice(text * slots, (text + 1) * slots);
  if (!held)
    throw new InputError(
      'Rows are taken from a cache that keeps one position per slot; this one is evictable.',
    );
  const slotOf = positions.map((position) => held.indexOf(position));
  const missing = slotOf.indexOf(-1);
  if (missing >= 0)
    throw new InputError(`The cache of text ${text} does not hold position ${positions[missing]}.`);
  const width = cachedRowWidth(config);
  const rows = new Float32Array(positions.length * width);
  const back = positions.map((position) => -position);
  state.layers.forEach(({ keys, values }, layer) => {
    [keys, values].forEach((part, kind) => {
      const block = new Float32Array(heads * positions.length * headWidth);
      for (let head = 0; head < heads; head++) {
        slotOf.forEach((slot, token) => {
          const from = ((text * heads + head) * slots + slot) * headWidth;
          block.set(part.data.slice(from, from + headWidth), (head * positions.length + token) * headWidth);
        });
      }
      if (kind === 0) rotateKeys(config, layer, block, back);
      scatter(rows, block, (layer * 2 + kind) * heads * headWidth, {
        heads,
        headWidth,
        tokens: positions.length,
        width,
      });
    });
  });
  return ndarray(rows, [positions.length, width]);
}

/**
 * A cache that holds tokens at positions 0, 1, …, as if a text of them had been read: what `cachedRows` gave, of one text or of
 * several one behind the other.
 * @param rows `[tokens, cachedRowWidth]`
 * @returns the state of one text; what is read next stands at position `tokens`
 * @throws InputError for rows of another width, or more than the cache has slots.
 */
export function stateFromRows(config: TransformerConfig, rows: NDArray): TransformerState<NDArray> {
  const { keyValueHeads: heads, headWidth, layers, evictable } = config;
  const slots = slotsOf(config);
  const [tokens, width] = rows.shape as [number, number];
  if (rows.shape.length !== 2 || width !== cachedRowWidth(config)) {
    throw new InputError(
      `Cached rows of this model have the shape [tokens, ${cachedRowWidth(config)}], but ${formatShape(rows.shape)} was given.`,
    );
  }
  if (evictable)
    throw new InputError(
      'A cache is made from rows for models that keep one position per slot; this one is evictable.',
    );
  if (tokens > slots) {
    throw new InputError(
      `${tokens} tokens do not fit into a cache of ${slots} slots; give the model a larger 'capacity'.`,
    );
  }
  const places = Array.from({ length: tokens }, (_, position) => position);
  const part = (layer: number, kind: 0 | 1) => {
    const block = new Float32Array(heads * tokens * headWidth);
    const start = (layer * 2 + kind) * heads * headWidth;
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < heads; head++) {
        const from = token * width + start + head * headWidth;
        block.set(rows.data.slice(from, from + headWidth), (head * tokens + token) * headWidth);
      }
    }
    if (kind === 0) rotateKeys(config, layer, block, places);
    const cached = zeros([1, heads, slots, headWidth]);
    for (let head = 0; head < heads; head++) {
      const own = block.subarray(head * tokens * headWidth, (head + 1) * tokens * headWidth);
      cached.data.set(own, head * slots * headWidth);
    }
    return cached;
  };
  const positions = new Int32Array(slots).fill(-1);
  positions.set(places);
  return {
    position: ndarray(Int32Array.of(tokens), [1], 'int32'),
    positions: ndarray(positions, [1, 1, slots], 'int32'),
    layers: Array.from({ length: layers }, (_, layer) => ({ keys: part(layer, 0), values: part(layer, 1) })),
  };
}

/** Writes `[heads, tokens, headWidth]` into the rows of the tokens from a column on. */
function scatter(
  rows: Float32Array,
  block: Float32Array,
  column: number,
  { heads, headWidth, tokens, width }: { heads: number; headWidth: number; tokens: number; width: number },
): void {
  for (let head = 0; head < heads; head++) {
    for (let token = 0; token < tokens; token++) {
      const from = (head * tokens + token) * headWidth;
      rows.set(block.subarray(from, from + headWidth), token * width + column + head * headWidth);
    }
  }
}
