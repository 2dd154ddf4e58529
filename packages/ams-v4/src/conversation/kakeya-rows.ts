import { KakeyaRegistry, type Matrix, matrix, type RoutingEntry } from '@palimpsest/kakeya';
import { InputError, type NDArray, ndarray, Rng } from '@palimpsest/tensor-core';
import type { PlainRowCodec } from './row-codec.js';

/** Most numbers of a field. */
const WIDEST_FIELD = 1024;
const VARIANCE = 0.999;
/** Most rows that sets are built from. */
const MOST_ROWS = 4000;
const AXIS_SEED = 47;
/** Rows that a registry keeps at least. */
const FEWEST_SAMPLES = 2;

/** Fields of a row: groups of consecutive layers of at most 1,024 numbers, two at least. */
export function fieldWidths(layers: number, layerWidth: number): number[] {
  const perField = Math.max(1, Math.min(Math.floor(WIDEST_FIELD / layerWidth), Math.ceil(layers / 2)));
  const widths: number[] = [];
  for (let layer = 0; layer < layers; layer += perField)
    widths.push(Math.min(perField, layers - layer) * layerWidth);
  if (widths.length > 1) return widths;
  // One layer alone: its keys and its values.
  return [layerWidth / 2, layerWidth / 2];
}

const fieldNames = (count: number): string[] =>
  count === 2 ? ['kv_low', 'kv_high'] : Array.from({ length: count }, (_, i) => `kv_${i}`);

/**
 * Keys and values as records of Kakeya sets of their own: the rows of a frozen model do not drift, so the sets are built once and
 * saved with what was trained (DERIVATION.md, "Key and value memory").
 */
export class KakeyaRows implements PlainRowCodec {
  readonly name = 'kakeya';
  readonly bytesPerRow: number;
  readonly #names: readonly string[];

  private constructor(
    readonly registry: KakeyaRegistry,
    readonly widths: readonly number[],
  ) {
    this.#names = fieldNames(widths.length);
    this.bytesPerRow = widths.length * registry.config.bytesPerVec;
  }

  /**
   * Builds the sets.
   * @param rows kept tokens of a corpus, `[tokens, width]`; the first 4,000 count
   * @throws InputError when there are too few for sets.
   */
  static build(rows: NDArray, widths: readonly number[], bytesPerVec: number): KakeyaRows {
    // Rows of a frozen model do not drift: the sets are never built again, and keep no rows for it.
    const registry = new KakeyaRegistry({
      bytesPerVec,
      kakeyaVarianceRatio: VARIANCE,
      rebuildPolicy: 'never',
      reservoirSize: FEWEST_SAMPLES,
    });
    const names = fieldNames(widths.length);
    const owners = ['topic', 'ctx'] as const;
    registry.defineSets(names.map((name, i): RoutingEntry => ({ owner: owners[i % 2]!, fields: [name] })));
    const count = Math.min(rows.shape[0]!, MOST_ROWS);
    const rng = Rng.fromSeed(AXIS_SEED);
    const axis = (width: number) => {
      const draw = Array.from({ length: width }, () => rng.normal());
      const length = Math.hypot(...draw);
      return Float64Array.from(draw, (value) => value / length);
    };
    const { dTime, dTopic, dCtx } = registry.config;
    registry.build(columnsOf(rows, widths, names, count), {
      time: axis(dTime),
      topic: axis(dTopic),
      ctx: axis(dCtx),
    });
    if (!registry.sets.every((set) => set.isActive)) {
      throw new InputError(
        `${count} rows of keys and values are too few for Kakeya sets; write more texts, or use int8.`,
      );
    }
    return new KakeyaRows(registry, widths);
  }

  static async load(path: string, widths: readonly number[]): Promise<KakeyaRows> {
    return new KakeyaRows(await KakeyaRegistry.load(path), widths);
  }

  encode(rows: NDArray): Uint8Array {
    const count = rows.shape[0]!;
    const bytes = new Uint8Array(count * this.bytesPerRow);
    if (count === 0) return bytes;
    const handles = this.registry.encodeMany(columnsOf(rows, this.widths, this.#names, count));
    const { bytesPerVec } = this.registry.config;
    handles.forEach((handle, token) => {
      handle.records().forEach((record, set) => {
        if (record.kind === 'bytes') bytes.set(record.bytes, token * this.bytesPerRow + set * bytesPerVec);
      });
    });
    return bytes;
  }

  decode(bytes: Uint8Array): NDArray<'float32'> {
    const count = bytes.length / this.bytesPerRow;
    const width = this.widths.reduce((sum, one) => sum + one, 0);
    const { bytesPerVec } = this.registry.config;
    const rows = new Float32Array(count * width);
    let column = 0;
    // A set holds one field alone, so that its rows are the field's; all tokens together, as one product costs little more than one row.
    this.widths.forEach((own, setIdx) => {
      const records = Array.from({ length: count }, (_, token) => {
        const at = token * this.bytesPerRow + setIdx * bytesPerVec;
        const coded = bytes.slice(at, at + bytesPerVec);
        return {
          kind: 'bytes',
          setIdx,
          epoch: this.registry.epoch,
          relErr: 0,
          fieldRelErr: [0],
          bytes: coded,
        } as const;
      });
      const { data } = this.registry.sets[setIdx]!.decodeBatch(records);
      for (let token = 0; token < count; token++) {
        rows.set(data.subarray(token * own, (token + 1) * own), token * width + column);
      }
      column += own;
    });
    return ndarray(rows, [count, width]);
  }
}

function columnsOf(
  { data, shape }: NDArray,
  widths: readonly number[],
  names: readonly string[],
  count: number,
): Record<string, Matrix> {
  const width = shape[1]!;
  let from = 0;
  return Object.fromEntries(
    widths.map((own, i) => {
      const field = matrix(count, own);
      for (let row = 0; row < count; row++) {
        field.data.set(data.slice(row * width + from, row * width + from + own), row * own);
      }
      from += own;
      return [names[i]!, field];
    }),
  );
}
