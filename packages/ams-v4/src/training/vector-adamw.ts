import { EngineError, type WasmMemory, wasmKernels } from '@palimpsest/base';
import { kernelsModule } from '../kernels-wasm.js';

/** What assembly/kernels.ts exports; places are byte addresses in `memory`. */
interface Kernels {
  readonly memory: WasmMemory;
  sumOfSquares(x: number, count: number): number;
  advance(
    p: number,
    m: number,
    v: number,
    g: number,
    count: number,
    clip: number,
    beta1: number,
    rest1: number,
    beta2: number,
    rest2: number,
    decay: number,
    rate: number,
    epsilon: number,
  ): void;
}

export interface VectorAdamWOptions {
  readonly learningRate: number;
  /** Decoupled, times the learning rate, of every vector that has a gradient. */
  readonly weightDecay: number;
  /** Largest global norm of the gradients. */
  readonly gradClip: number;
}

const BETAS = [0.9, 0.999] as const;
const EPSILON = 1e-8;
/** Added to the norm that gradients are divided by, as PyTorch does. */
const CLIP_EPSILON = 1e-6;
/** Left to the compiler's runtime. */
const FIRST_BYTE = 1024;
const PAGE = 65_536;
/** The kernels take so many numbers at once. */
const STEP = 16;

/** Byte addresses of parameters, moments and gradient. */
type Places = readonly [parameters: number, first: number, second: number, gradient: number];

/**
 * AdamW with clipped gradients over a few long vectors, in one pass over each. A graph's thirteen nodes read and write every vector
 * thirteen times, and the runtime copies whatever it gives back: moments stay here. The formula is that of `adamw` in tensor-core.
 */
export class VectorAdamW<Name extends string> {
  readonly #kernels: Kernels;
  readonly #places = new Map<
    Name,
    { readonly places: Places; readonly size: number; readonly padded: number }
  >();
  #step = 0;

  /** @throws EngineError where there is no WebAssembly with 128-bit vectors. */
  constructor(
    sizes: Readonly<Record<Name, number>>,
    private readonly options: VectorAdamWOptions,
  ) {
    const kernels = wasmKernels<Kernels>(kernelsModule)?.();
    if (!kernels)
      throw new EngineError('The trainer needs WebAssembly with 128-bit vectors, which is missing here.');
    this.#kernels = kernels;
    let next = FIRST_BYTE;
    for (const [name, size] of Object.entries<number>(sizes)) {
      const padded = STEP * Math.ceil(size / STEP);
      const place = (index: number) => next + 4 * index * padded;
      this.#places.set(name as Name, { places: [place(0), place(1), place(2), place(3)], size, padded });
      next = place(4);
    }
    const missing = next - kernels.memory.buffer.byteLength;
    if (missing > 0) kernels.memory.grow(Math.ceil(missing / PAGE));
  }

  /** The parameters, in the memory that steps change. */
  parameters(name: Name): Float32Array {
    return this.#view(name, 0);
  }

  /** Where a step reads the gradient of a vector; it stays as it is. */
  gradient(name: Name): Float32Array {
    return this.#view(name, 3);
  }

  /** One step. @param reached vectors that have a gradient; the others stay as they are, bit for bit */
  step(reached: readonly Name[]): void {
    let squares = 0;
    for (const name of reached) {
      const { places, padded } = this.#places.get(name)!;
      squares += this.#kernels.sumOfSquares(places[3], padded);
    }
    this.#step += 1;
    const { learningRate, weightDecay, gradClip } = this.options;
    const clip = gradClip > 0 ? Math.min(1, gradClip / (Math.sqrt(squares) + CLIP_EPSILON)) : 1;
    const [beta1, beta2] = BETAS;
    // The corrections of the moments' first steps, folded into two numbers.
    const [missing1, missing2] = [1 - beta1 ** this.#step, Math.sqrt(1 - beta2 ** this.#step)];
    for (const name of reached) {
      const { places, padded } = this.#places.get(name)!;
      this.#kernels.advance(
        ...places,
        padded,
        clip,
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        1 - learningRate * weightDecay,
        (learningRate * missing2) / missing1,
        EPSILON * missing2,
      );
    }
  }

  #view(name: Name, part: 0 | 3): Float32Array {
    const { places, size } = this.#places.get(name)!;
    return new Float32Array(this.#kernels.memory.buffer, places[part], size);
  }
}
