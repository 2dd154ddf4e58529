import type { Inspection, InspectionPicture, InspectRequest } from '@palimpsest/lm';
import { disposeTree, InputError, type NDArray, ndarray, type tf } from '@palimpsest/tensor-core';
import type { OsamConfig, OsamOptions } from './config.js';
import { valueDecays } from './memory/memory.js';
import { createOsamModel, type OsamModel } from './model.js';
import type { OsamParams } from './parameters.js';
import { emptyState, type OsamState } from './state.js';

/** The darkest ground that text is still read on. */
const DARKEST = 0.6;
/** Tokens of a matrix of reads. */
const COLUMNS = 64;

/** How much of the last read of a head comes from each token, signed; magnitudes sum to 1. */
interface HeadRead {
  readonly block: number;
  readonly head: number;
  readonly decay: number;
  readonly shares: Float64Array;
}

/**
 * What the value memory gives to the token at the end of a text: the read of a head is a sum over all earlier tokens, whose
 * weights are the products of the query with their keys, times what the head has forgotten since.
 * @throws InputError for another model, a text of fewer than two tokens, or a model that never reads its values.
 */
export async function inspectOsam(request: InspectRequest): Promise<Inspection> {
  const { checkpoint, text, readTokens = COLUMNS } = request;
  const { model, tokenizer, folder } = checkpoint;
  if (model.name !== 'osam') throw new InputError(`'${folder}' holds a '${model.name}', not an 'osam'.`);
  if (!tokenizer) throw new InputError(`'${folder}' has no tokenizer, so that it cannot read a text.`);
  const osam = createOsamModel(model.config as OsamOptions);
  const { options } = osam;
  if (!options.enableValuePath)
    throw new InputError(`'${folder}' does not read its value memory, which would be shown.`);
  const ids = Int32Array.from(tokenizer.encode(text));
  if (ids.length < 2) throw new InputError('A read needs a token before it; give a text of at least two.');
  const heads = await lastReads(request, osam, ids);
  const decoder = tokenizer.streamingDecoder();
  const texts = Array.from(ids, (id) => decoder.push(id));
  return present(options, heads, texts, Math.min(COLUMNS, readTokens));
}

type Turned = readonly { readonly query: tf.Tensor; readonly key: tf.Tensor }[];

async function lastReads(
  { engine, checkpoint }: InspectRequest,
  model: OsamModel,
  ids: Int32Array,
): Promise<HeadRead[]> {
  const { options, plans } = model;
  const turned = (params: OsamParams, tokens: tf.Tensor2D, state: OsamState): Turned =>
    model
      .forward(params, tokens, state, { training: false, inspect: true })
      .blocks!.map(({ query, key }) => ({ query, key }));
  const compiled = engine.compile(turned, { name: 'osam inspection' });
  try {
    const params = checkpoint.params as OsamParams<NDArray>;
    const tokens = ndarray(ids, [1, ids.length], 'int32');
    const blocks = await compiled(params, tokens, emptyState(options, plans, 1));
    const heads: HeadRead[] = [];
    for (const [block, { query, key }] of blocks.entries()) {
      const [queries, keys] = [await query.data(), await key.data()];
      valueDecays(options).forEach((decay, head) => {
        heads.push({ block, head, decay, shares: sharesOf(queries, keys, ids.length, head, decay, options) });
      });
    }
    disposeTree(blocks);
    return heads;
  } finally {
    await compiled.dispose();
  }
}

/** Weights of all tokens but the last, which reads: decay^(age) Re(query · key), by the sum of their magnitudes. */
function sharesOf(
  queries: ArrayLike<number>,
  keys: ArrayLike<number>,
  time: number,
  head: number,
  decay: number,
  { dModel, heads }: OsamConfig,
): Float64Array {
  const width = dModel / heads;
  const at = (token: number, channel: number) => token * 2 * dModel + head * width + channel;
  const weights = Float64Array.from({ length: time - 1 }, (_, token) => {
    let product = 0;
    for (let channel = 0; channel < width; channel++) {
      const [real, imaginary] = [at(token, channel), at(token, channel) + dModel];
      const [ownReal, ownImaginary] = [at(time - 1, channel), at(time - 1, channel) + dModel];
      product += queries[ownReal]! * keys[real]! - queries[ownImaginary]! * keys[imaginary]!;
    }
    return decay ** (time - 2 - token) * product;
  });
  const total = weights.reduce((sum, weight) => sum + Math.abs(weight), 0) || 1;
  return weights.map((weight) => weight / total);
}

function present(
  config: OsamConfig,
  heads: readonly HeadRead[],
  texts: readonly string[],
  columns: number,
): Inspection {
  const earlier = texts.length - 1;
  const mean = Float64Array.from(
    { length: earlier },
    (_, token) => heads.reduce((sum, { shares }) => sum + Math.abs(shares[token]!), 0) / heads.length,
  );
  const order = [...mean.keys()].sort((a, b) => mean[b]! - mean[a]!);
  const best = order.slice(0, 5).map((token) => `${JSON.stringify(texts[token])} ${percent(mean[token]!)}`);
  const blocks = Array.from({ length: config.layers }, (_, block) => block);
  return {
    facts: [
      ['blocks', `${config.layers} of width ${config.dModel}, ${config.heads} heads each`],
      ['text', `${texts.length} tokens`],
    ],
    summary: [`the last token reads most from ${best.join(', ')}`],
    sections: [
      {
        title: 'What the last token reads',
        note: 'The stronger the colour, the more of the read comes from a token: the magnitude of its weight, mean over all heads of all blocks.',
        pictures: [{ kind: 'text', pieces: piecesOf(texts, mean, heads) }],
      },
      {
        title: 'What each head reads',
        note: `The last ${Math.min(columns, earlier)} tokens before it, a row per head; the two colours are the two signs. Heads with a factor below 1 forget.`,
        pictures: blocks.map((block) =>
          readsOf(
            block,
            heads.filter((head) => head.block === block),
            texts,
            columns,
          ),
        ),
      },
    ],
    data: {
      tokens: texts.length,
      heads: heads.map(({ block, head, decay, shares }) => ({ block, head, decay, shares: [...shares] })),
    },
  };
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function piecesOf(texts: readonly string[], mean: Float64Array, heads: readonly HeadRead[]) {
  const most = mean.reduce((largest, share) => Math.max(largest, share), 1e-9);
  return texts.map((text, token) => {
    if (token >= mean.length) return { text, shade: 0, note: 'the token that reads', border: true };
    const each = heads.map(
      ({ block, head, decay, shares }) =>
        `block ${block}, head ${head} (factor ${decay}): ${percent(shares[token]!)}`,
    );
    return {
      text,
      shade: (DARKEST * mean[token]!) / most,
      note: [`${percent(mean[token]!)} of the read`, ...each].join('\n'),
    };
  });
}

function readsOf(
  block: number,
  heads: readonly HeadRead[],
  texts: readonly string[],
  columns: number,
): InspectionPicture {
  const from = Math.max(0, texts.length - 1 - columns);
  const rows = heads.map(({ shares }) => shares.subarray(from));
  const most = rows.reduce(
    (largest, row) => row.reduce((so, share) => Math.max(so, Math.abs(share)), largest),
    1e-9,
  );
  return {
    kind: 'matrix',
    title: `block ${block}, heads with factors ${heads.map(({ decay }) => decay).join(', ')}, colours ±${percent(most)}`,
    rowTitle: 'head',
    columnTitle: 'token',
    range: [-most, most],
    rows,
    columns: texts
      .slice(from, -1)
      .map((text) => [...text.replaceAll('\n', '⏎').replaceAll(' ', '·')][0] ?? ''),
  };
}
