import { DecodingKernels, type NDArray, type Place, type StoredMatrix } from '@palimpsest/base';
import type { HostForm, HostMemory } from '@palimpsest/lm';
import { type HostMixer, HostWeights, type MakeHostMixer } from './host-mixer.js';

/** Parameters of a control model on the host. */
export interface HostControlParams {
  readonly tokenEmbedding: NDArray;
  readonly blocks: readonly {
    readonly mixer: Readonly<Record<string, NDArray>>;
    readonly mixerNorm?: NDArray;
    readonly mlpNorm?: NDArray;
    readonly up?: NDArray;
    readonly down?: NDArray;
  }[];
  readonly norm: NDArray;
}

/** Norms and gated MLP of a residual block. */
interface Frame {
  readonly mixerNorm: Place;
  readonly mlpNorm: Place;
  readonly up: StoredMatrix;
  readonly down: StoredMatrix;
}

interface Block {
  readonly mixer: HostMixer;
  readonly frame: Frame | undefined;
}

/** Of `rmsNorm`. */
const EPSILON = 1e-6;

/** A control model token by token on the processor: the blocks of `createControlModel`, one row at a time. */
export class HostControl implements HostForm {
  readonly kernels = new DecodingKernels();
  readonly vocabSize: number;
  readonly logits: Place;
  readonly #weights: HostWeights;
  readonly #width: number;
  readonly #embedding: Float32Array;
  readonly #head: StoredMatrix;
  readonly #norm: Place;
  readonly #blocks: readonly Block[];
  /** The stream, its normalisation, what a branch gives, `[width]` each. */
  readonly #stream: Place;
  readonly #normal: Place;
  readonly #branch: Place;
  /** Gate and value of an MLP, `[2 hidden]`. */
  readonly #gated: Place;

  constructor(params: HostControlParams, makeMixer: MakeHostMixer) {
    const { kernels } = this;
    const { tokenEmbedding, blocks, norm } = params;
    const [vocabSize, width] = tokenEmbedding.shape as [number, number];
    const hidden = Math.max(...blocks.map(({ down }) => down?.shape[1] ?? 0));
    this.#weights = new HostWeights(kernels, Math.max(vocabSize, 4 * width, 2 * hidden));
    this.vocabSize = vocabSize;
    this.#width = width;
    this.#embedding = tokenEmbedding.data as Float32Array;
    this.#head = this.#weights.matrix(tokenEmbedding);
    this.#norm = this.#weights.vector(norm);
    this.#blocks = blocks.map(({ mixer, ...frame }) => ({
      mixer: makeMixer(this.#weights, mixer),
      frame: this.#frame(frame),
    }));
    this.logits = kernels.allocate(vocabSize);
    this.#stream = kernels.allocate(width);
    this.#normal = kernels.allocate(width);
    this.#branch = kernels.allocate(width);
    this.#gated = kernels.allocate(2 * hidden);
  }

  open({ floats }: HostMemory): (id: number, wanted: boolean) => void {
    const mixers = this.#blocks.map(({ mixer }, layer) => mixer.open((name) => floats[`${layer}.${name}`]!));
    return (id, wanted) => {
      const { numbers } = this.kernels;
      numbers.set(this.#embedding.subarray(id * this.#width, (id + 1) * this.#width), this.#stream);
      let branch = this.#weights.zeros;
      for (const [layer, { frame }] of this.#blocks.entries()) {
        if (frame) branch = this.#residual(frame, mixers[layer]!, branch);
        else mixers[layer]!(this.#stream, this.#stream);
      }
      if (!wanted) return;
      this.#normalise(branch, this.#norm);
      this.#weights.multiply(this.logits, this.#head, this.#normal);
    };
  }

  /** A block of the residual stream, to which the branch before it is still to be added. @returns the branch of its MLP */
  #residual(frame: Frame, mix: (y: Place, x: Place) => void, before: Place): Place {
    const { kernels } = this;
    const hidden = frame.down.columns;
    this.#normalise(before, frame.mixerNorm);
    mix(this.#branch, this.#normal);
    this.#normalise(this.#branch, frame.mlpNorm);
    this.#weights.multiply(this.#gated, frame.up, this.#normal);
    kernels.memories.swiGlu(this.#gated, this.#gated, this.#gated + hidden, hidden);
    this.#weights.multiply(this.#branch, frame.down, this.#gated);
    return this.#branch;
  }

  /** Adds a branch to the stream, and normalises it. */
  #normalise(branch: Place, gain: Place): void {
    const { memories } = this.kernels;
    memories.addRootNormalised(this.#normal, this.#stream, branch, gain, this.#width, EPSILON);
  }

  #frame({
    mixerNorm,
    mlpNorm,
    up,
    down,
  }: Omit<HostControlParams['blocks'][number], 'mixer'>): Frame | undefined {
    if (!mixerNorm || !mlpNorm || !up || !down) return undefined;
    const weights = this.#weights;
    return {
      mixerNorm: weights.vector(mixerNorm),
      mlpNorm: weights.vector(mlpNorm),
      up: weights.matrix(up),
      down: weights.matrix(down),
    };
  }
}
