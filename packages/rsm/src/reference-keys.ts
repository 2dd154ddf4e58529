import { InputError, type NDArray, sizeOf, treeMap } from '@palimpsest/tensor-core';

/** Tensors by their names in the reference's state dict. */
export type NamedTensors = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: ArrayLike<number> }
>;

const renamed: readonly (readonly [RegExp, string])[] = [
  [/^tokenEmbedding$/, 'tok_emb.weight'],
  [/^memoryInit$/, 'memory_init'],
  [/^slotIdentity$/, 'slot_identity'],
  [/\battentionNorm\b/, 'norm1'],
  [/\breadNorm\b/, 'norm2'],
  [/\bmlpNorm\b/, 'norm3'],
  [/^normOut\b/, 'norm_out'],
  [/\bselfAttention\.projection\b/, 'self_attn.proj'],
  [/\bselfAttention\b/, 'self_attn'],
  [/\bmemoryFromTokens\b/, 'mem_from_tokens'],
  [/\btokensFromMemory\b/, 'tokens_from_mem'],
  [/\btokensNorm\b/, 'norm_tokens'],
  [/\bmemoryNorm\b/, 'norm_memory'],
  [/\bmlp\.hidden\b/, 'mlp.fc1'],
  [/\bmlp\.output\b/, 'mlp.fc2'],
  [/\bmemoryRead\b/, 'memory_read'],
  [/\bmemoryWrite\.gate\b/, 'memory_write.gate_net.0'],
  [/\bmemoryWrite\.recurrence\b/, 'memory_write.A'],
  [/\bmemoryWrite\.input\b/, 'memory_write.B'],
  [/\bmemoryWrite\.salienceQuery\b/, 'memory_write.salience_query'],
  [/\bmemoryWrite\.salienceKey\b/, 'memory_write.salience_key'],
  [/\b(query|key|value)\.weight$/, '$1_proj.weight'],
  [/\.output\.(weight|bias)$/, '.out_proj.$1'],
  [/\bquery_proj\b/, 'q_proj'],
  [/\bkey_proj\b/, 'k_proj'],
  [/\bvalue_proj\b/, 'v_proj'],
  [/\.gain$/, '.weight'],
];

/**
 * The reference's name of a parameter, as in `blocks.0.memory_write.gate_net.0.weight`. Those of a sync have none of its own
 * prefix, since the reference keeps them in a state dict apart.
 * @param path place in the tree, as in `blocks.0.memoryWrite.gate.weight`
 */
export function referenceKey(path: string): string {
  const own = path.replace(/^sync\./, '');
  return renamed.reduce((key, [pattern, name]) => key.replace(pattern, name), own);
}

/**
 * Fills a tree of parameters with tensors under the reference's names; further tensors are left alone.
 * @param template fresh parameters, which give the shapes; a memory of one more or one less leading 1 fits.
 * @throws InputError for a tensor that is missing or has another size.
 */
export function fromReferenceTensors<T>(
  tensors: NamedTensors,
  template: T,
  keyOf: (path: string) => string = referenceKey,
): T {
  return treeMap<NDArray, NDArray, T>(template, (leaf, path) => {
    const key = keyOf(path);
    const found = tensors.get(key);
    if (!found) throw new InputError(`The weights lack the tensor '${key}'.`);
    if (found.data.length !== sizeOf(leaf.shape)) {
      throw new InputError(
        `The tensor '${key}' has shape [${found.shape.join(', ')}], but the model needs [${leaf.shape.join(', ')}]; check the model's options.`,
      );
    }
    return { data: Float32Array.from(found.data), shape: leaf.shape, dtype: 'float32' } as NDArray;
  }) as T;
}
