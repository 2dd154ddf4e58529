import { nodeModule } from '@palimpsest/base';
import type { StoredTensor, WeightSource } from './weight-files.js';

/** Bytes of every piece that name it: reading all of them would cost more than loading does. */
export const SEEN = 4096;

/** Tensors that are told apart while they are read, without reading anything twice. */
export interface NamedTensors extends Pick<WeightSource, 'tensors'> {
  /** The name of all that has been read. */
  parametersId(): string;
}

/**
 * Names parameters by a SHA-256 of their tensors' keys and types and of the beginning of every piece that is read, in order:
 * equal for the same tensors in one file or several. A piece has at most 2^18 values, so that all parts of a matrix count.
 * @param form how the parameters are held; the same numbers with fewer bits are other parameters
 * @param signal no piece is read any more once it is aborted
 */
export async function namedTensors(
  { tensors }: Pick<WeightSource, 'tensors'>,
  form: string,
  signal?: AbortSignal,
): Promise<NamedTensors> {
  const { createHash } = nodeModule('node:crypto');
  const hash = createHash('sha256').update(form);
  const named = ([key, tensor]: [string, StoredTensor]): [string, StoredTensor] => [
    key,
    {
      ...tensor,
      async read(into, offset) {
        signal?.throwIfAborted();
        await tensor.read(into, offset);
        hash.update(`\n${key} ${tensor.dtype} ${offset}\n`).update(into.subarray(0, SEEN));
      },
    },
  ];
  return { tensors: new Map([...tensors].map(named)), parametersId: () => hash.copy().digest('hex') };
}
