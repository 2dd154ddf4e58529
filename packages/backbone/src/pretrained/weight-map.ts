import type { TransformerConfig } from '../config.js';
import type { Family } from './checkpoint-config.js';

/** Where one tensor of a checkpoint goes. */
export interface WeightEntry {
  readonly key: string;
  /** Shape in the file. */
  readonly shape: readonly number[];
  /** Path in the parameter tree, as `blocks.0.up.weight`. */
  readonly path: string;
  /** First row of the parameter that it fills; several tensors may be stacked in one parameter. Default 0. */
  readonly row?: number;
  /** The file has inputs as rows. Default false. */
  readonly transposed?: boolean;
  /** The rows of every head, this many, lie in the file as pairs that are rotated together. */
  readonly interleaved?: number;
  /** Added to every value of the file. Default 0. */
  readonly plus?: number;
}

/**
 * All tensors that a model needs from a checkpoint, with the keys of its family.
 * @param prefix what stands before the keys of the model without its head, as `model.`
 */
export function weightMap(
  family: Family,
  config: TransformerConfig,
  prefix = usualPrefixOf(family),
): WeightEntry[] {
  const entries = family === 'gpt2' ? gpt2Weights(config) : rotaryWeights(family, config);
  const outer = prefix.replace(/(?<![a-z_])(model|transformer)\.$/, '');
  return entries.map((entry) => ({ ...entry, key: (isHead(entry.key) ? outer : prefix) + entry.key }));
}

/** What the libraries that made a family's checkpoints write before its keys. */
const usualPrefixOf = (family: Family) => (family === 'gpt2' ? '' : 'model.');

const isHead = (key: string) => key === 'lm_head.weight';

/**
 * What stands before the keys of a file: `model.` or `transformer.`, nothing when the model was saved without its head,
 * wrappers such as `_orig_mod.` or `module.` before either.
 */
export function findPrefix(family: Family, keys: Iterable<string>): string {
  const embedding = family === 'gpt2' ? 'wte.weight' : 'embed_tokens.weight';
  const found = [...keys].filter((key) => key === embedding || key.endsWith(`.${embedding}`));
  const prefixes = found.map((key) => key.slice(0, -embedding.length));
  const usual = usualPrefixOf(family);
  return prefixes.includes(usual) ? usual : (prefixes.sort((a, b) => a.length - b.length)[0] ?? usual);
}

/** Tensors that checkpoints carry and that no model needs: masks, rotary tables, a copy of a tied head. */
export function isKnownExtra(key: string, config: TransformerConfig): boolean {
  if (key.startsWith('rope_f')) return true;
  if (/\.attn\.(bias|masked_bias)$/.test(key) || key.endsWith('rotary_emb.inv_freq')) return true;
  return config.tiedHead && key.endsWith('lm_head.weight');
}

function gpt2Weights(config: TransformerConfig): WeightEntry[] {
  const { vocabSize, context, layers, modelWidth: d, mlpWidth: n, tiedHead } = config;
  const norm = (key: string, path: string): WeightEntry[] => [
    { key: `${key}.weight`, shape: [d], path: `${path}.gain` },
    { key: `${key}.bias`, shape: [d], path: `${path}.bias` },
  ];
  const projection = (key: string, inputs: number, outputs: number, path: string): WeightEntry[] => [
    { key: `${key}.weight`, shape: [inputs, outputs], path: `${path}.weight`, transposed: true },
    { key: `${key}.bias`, shape: [outputs], path: `${path}.bias` },
  ];
  const blocks = Array.from({ length: layers }, (_, i) => [
    ...norm(`h.${i}.ln_1`, `blocks.${i}.attentionNorm`),
    ...projection(`h.${i}.attn.c_attn`, d, 3 * d, `blocks.${i}.queryKeyValue`),
    ...projection(`h.${i}.attn.c_proj`, d, d, `blocks.${i}.output`),
    ...norm(`h.${i}.ln_2`, `blocks.${i}.mlpNorm`),
    ...projection(`h.${i}.mlp.c_fc`, d, n, `blocks.${i}.up`),
    ...projection(`h.${i}.mlp.c_proj`, n, d, `blocks.${i}.down`),
  ]);
  return [
    { key: 'wte.weight', shape: [vocabSize, d], path: 'tokenEmbedding' },
    { key: 'wpe.weight', shape: [context, d], path: 'positionEmbedding' },
    ...blocks.flat(),
    ...norm('ln_f', 'norm'),
    ...head(tiedHead, vocabSize, d),
  ];
}

/** Names of the norms before the MLP and behind either branch, where there are such. */
const normNames = {
  plain: { beforeMlp: 'post_attention_layernorm' },
  sandwich: {
    beforeMlp: 'pre_feedforward_layernorm',
    behindAttention: 'post_attention_layernorm',
    behindMlp: 'post_feedforward_layernorm',
  },
} as const;

function rotaryWeights(family: Family, config: TransformerConfig): WeightEntry[] {
  const { vocabSize, layers, heads, keyValueHeads, headWidth, modelWidth: d, mlpWidth: f, tiedHead } = config;
  const [queries, keys] = [heads * headWidth, keyValueHeads * headWidth];
  const part = (
    key: string,
    rows: number,
    inputs: number,
    path: string,
    biased: boolean,
    row = 0,
  ): WeightEntry[] => [
    { key: `${key}.weight`, shape: [rows, inputs], path: `${path}.weight`, row },
    ...(biased ? [{ key: `${key}.bias`, shape: [rows], path: `${path}.bias`, row }] : []),
  ];
  const { queryKeyValueBias, outputBias, mlpBias, sandwichNorms } = config;
  // Gemma's norms multiply by 1 + weight.
  const norm = (key: string, path: string, width = d): WeightEntry => ({
    key: `${key}.weight`,
    shape: [width],
    path: `${path}.gain`,
    ...(family === 'gemma3' && { plus: 1 }),
  });
  const names = sandwichNorms ? normNames.sandwich : normNames.plain;
  const blocks = Array.from({ length: layers }, (_, i) => {
    const [from, to] = [`layers.${i}`, `blocks.${i}`];
    return [
      norm(`${from}.input_layernorm`, `${to}.attentionNorm`),
      ...part(`${from}.self_attn.q_proj`, queries, d, `${to}.queryKeyValue`, queryKeyValueBias),
      ...part(`${from}.self_attn.k_proj`, keys, d, `${to}.queryKeyValue`, queryKeyValueBias, queries),
      ...part(`${from}.self_attn.v_proj`, keys, d, `${to}.queryKeyValue`, queryKeyValueBias, queries + keys),
      ...(config.queryKeyNorm
        ? [
            norm(`${from}.self_attn.q_norm`, `${to}.queryNorm`, headWidth),
            norm(`${from}.self_attn.k_norm`, `${to}.keyNorm`, headWidth),
          ]
        : []),
      ...part(`${from}.self_attn.o_proj`, d, queries, `${to}.output`, outputBias),
      norm(`${from}.${names.beforeMlp}`, `${to}.mlpNorm`),
      ...('behindAttention' in names
        ? [
            norm(`${from}.${names.behindAttention}`, `${to}.outputNorm`),
            norm(`${from}.${names.behindMlp}`, `${to}.downNorm`),
          ]
        : []),
      ...part(`${from}.mlp.gate_proj`, f, d, `${to}.up`, mlpBias),
      ...part(`${from}.mlp.up_proj`, f, d, `${to}.up`, mlpBias, f),
      ...part(`${from}.mlp.down_proj`, d, f, `${to}.down`, mlpBias),
    ];
  });
  return [
    { key: 'embed_tokens.weight', shape: [vocabSize, d], path: 'tokenEmbedding' },
    ...blocks.flat(),
    norm('norm', 'norm'),
    ...head(tiedHead, vocabSize, d),
  ];
}

const head = (tied: boolean, vocabSize: number, width: number): WeightEntry[] =>
  tied ? [] : [{ key: 'lm_head.weight', shape: [vocabSize, width], path: 'head.weight' }];
