import { type NDArray, ndarray, zeros } from '@palimpsest/tensor-core';
import { contentCentroids } from '../encoders/content-centroid.js';
import { rowsAt } from '../key-values/token-rows.js';
import type { TextModel } from '../model/text-model.js';
import { type ConversationConfig, idsBehindLeadIn, inForm, leadInIds } from './config.js';

/** Texts that go through the model at once, so that few numbers of texts make graphs. */
const BATCHES = [32, 8, 1];

/** What retrieval and keys and values see of a text in its form. */
export interface TextFeatures {
  readonly ids: readonly number[];
  /** The text in its form, and where it begins there. */
  readonly whole: string;
  readonly start: number;
  /** Mean of the token embeddings at unit length, `[width]`. */
  readonly centroid: Float32Array;
  /** Mean of the states of the pooled layer, `[width]`. */
  readonly hidden: Float32Array;
  /** Keys and values of all tokens, `[tokens, cachedRowWidth]`; absent where they were not asked for. */
  readonly rows?: NDArray<'float32'> | undefined;
}

/** The layer whose states retrieval sees: the configured one, or two thirds of all; the embeddings, which no layer makes, where it sees none. */
const pooledLayer = ({ poolLayer }: ConversationConfig, layers: number): number => {
  if (poolLayer === 'none') return 0;
  return Math.min(poolLayer ?? Math.round((2 * layers) / 3), layers);
};

/**
 * Features of texts, by passes over the frozen model.
 * @param form `{text}` stands for the text, as `memoryForm` and `queryForm` have it
 * @param weights of tokens in the centroid
 * @param signal ends the passes early, with its reason as the error
 * @param wantsRows whether keys and values of a text are wanted, which are thousands of numbers per token
 */
export async function featuresOf(
  text: TextModel,
  config: ConversationConfig,
  form: string,
  texts: readonly string[],
  weights?: ArrayLike<number>,
  signal?: AbortSignal,
  wantsRows: (place: number) => boolean = () => true,
): Promise<TextFeatures[]> {
  const layer = pooledLayer(config, text.model.options.layers);
  const formed = texts.map((one) => inForm(form, one));
  const lead = leadInIds(text, config);
  const ids = formed.map(({ whole }) => idsBehindLeadIn(text, config, whole));
  const features: TextFeatures[] = [];
  for (let at = 0; at < texts.length; ) {
    signal?.throwIfAborted();
    const count = BATCHES.find((size) => size <= texts.length - at)!;
    const read = ids.slice(at, at + count).map((own) => [...lead, ...own]);
    const withRows = read.some((_, i) => wantsRows(at + i));
    // Without a lead-in the first token is what the model parks its attention on.
    const { pooled, rows } = await text.read(read, layer, Math.max(lead.length, 1), withRows);
    const width = text.width;
    for (let i = 0; i < count; i++) {
      const own = ids[at + i]!;
      const hidden = pooled.data.slice(i * width, (i + 1) * width);
      features.push({
        ids: own,
        ...formed[at + i]!,
        centroid: contentCentroids([own], text.unitEmbeddings, weights).data,
        hidden: config.poolLayer === 'none' ? new Float32Array(width) : Float32Array.from(hidden),
        rows: wantsRows(at + i) ? rowsBehind(rows[i]!, lead.length) : undefined,
      });
    }
    at += count;
  }
  return features;
}

const rowsBehind = (rows: NDArray<'float32'>, lead: number): NDArray<'float32'> =>
  lead === 0
    ? rows
    : rowsAt(
        rows,
        Array.from({ length: rows.shape[0]! - lead }, (_, i) => lead + i),
      );

/** Vectors as the rows of a matrix. */
export function stacked(vectors: readonly ArrayLike<number>[], width: number): NDArray<'float32'> {
  const matrix = zeros([vectors.length, width]);
  vectors.forEach((vector, row) => {
    matrix.data.set(vector, row * width);
  });
  return ndarray(matrix.data, matrix.shape);
}
