import { type DecodingKernels, hasDecodingKernels, type Place } from '@palimpsest/base';
import type { HostForm, HostMemory } from '@palimpsest/lm';
import type { OsamConfig } from '../config.js';
import { HostBlockText } from './block.js';
import { type Scratch, scratchFor } from './scratch.js';
import type { HostWeights } from './weights.js';

/** Models whose weights take more are left to the graph's threads. */
const MOST_NUMBERS = 2 ** 26;

/** Whether a model can be decoded by the kernels of the processor, and is small enough that this is the faster way. */
export function fitsHost(config: OsamConfig, parameters: number): boolean {
  const { dModel, freqCache } = config;
  return !freqCache && dModel % 4 === 0 && parameters <= MOST_NUMBERS && hasDecodingKernels();
}

/** A model token by token on the processor (DERIVATION.md, "Decoding on the processor"). */
export class OsamHostForm implements HostForm {
  readonly kernels: DecodingKernels;
  readonly vocabSize: number;
  readonly logits: Place;
  readonly #scratch: Scratch;

  constructor(private readonly weights: HostWeights) {
    const { kernels, config } = weights;
    const { vocabSize } = config;
    this.kernels = kernels;
    this.vocabSize = vocabSize;
    this.logits = kernels.allocate(vocabSize);
    this.#scratch = scratchFor(weights);
  }

  open({ floats, ints }: HostMemory): (id: number, wanted: boolean) => void {
    const { weights, kernels } = this;
    const { embedding, finalNorm, head, headScale, zeros, config } = weights;
    const { stream, normal } = this.#scratch;
    const d = config.dModel;
    const blocks = weights.blocks.map((block, index) => {
      const place = (name: string) => floats[`blocks.${index}.${name}`]!;
      return new HostBlockText(weights, block, place, this.#scratch);
    });
    return (id, wanted) => {
      const { numbers } = kernels;
      numbers.set(embedding.subarray(id * d, (id + 1) * d), stream);
      const position = ints.position![0]!;
      for (const block of blocks) block.token(position);
      ints.position![0] = position + 1;
      if (!wanted) return;
      if (finalNorm) kernels.addNormalised(normal, stream, zeros, finalNorm.gain, finalNorm.bias, d);
      weights.multiply(this.logits, head, finalNorm ? normal : stream);
      if (headScale === 1) return;
      for (let i = 0; i < this.vocabSize; i++) numbers[this.logits + i]! *= headScale;
    };
  }
}
