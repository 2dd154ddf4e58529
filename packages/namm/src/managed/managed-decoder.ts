import type { Decoder } from '@palimpsest/lm';
import { type NDArray, ndarray, treeToRecord } from '@palimpsest/tensor-core';
import type { ManagedTexts } from './managed-texts.js';
import { hostStateOf } from './state.js';

/** One text read under a policy, as sessions read it. */
export class ManagedDecoder implements Decoder {
  /** @param texts one of them, which belongs to the decoder from then on */
  constructor(private readonly texts: ManagedTexts) {}

  get stateBytes(): number {
    return this.texts.stateBytes;
  }

  async read(ids: ArrayLike<number>): Promise<Float32Array> {
    const logits = await this.texts.read(ndarray(Int32Array.from(ids), [1, ids.length], 'int32'));
    const values = Float32Array.from(await logits.data());
    logits.dispose();
    return values;
  }

  state(): Promise<unknown> {
    return this.texts.state();
  }

  stateOf(arrays: Readonly<Record<string, NDArray>>): unknown {
    return hostStateOf(arrays, this.texts.modelOptions);
  }

  async restore(state: unknown): Promise<void> {
    this.texts.restore(hostStateOf(treeToRecord<NDArray>(state), this.texts.modelOptions));
  }

  async reset(): Promise<void> {
    this.texts.reset();
  }

  async fork(): Promise<ManagedDecoder> {
    return new ManagedDecoder(await this.texts.fork());
  }

  dispose(): Promise<void> {
    return this.texts.dispose();
  }
}
