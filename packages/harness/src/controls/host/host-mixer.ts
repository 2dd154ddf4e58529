import type { DecodingKernels, NDArray, Place, StoredMatrix } from '@palimpsest/base';

/** Where the arrays of a block's memory lie, by the names of the mixer's state. */
export type HostState = (name: string) => Place;

/** A block's mixer on the processor. */
export interface HostMixer {
  /** Takes up a text. @returns computes y from x, `[width]` both, and leaves the memory behind the token */
  open(state: HostState): (y: Place, x: Place) => void;
}

/** Places the parameters of a block's mixer and makes its host form. */
export type MakeHostMixer = (weights: HostWeights, params: Readonly<Record<string, NDArray>>) => HostMixer;

/** Puts parameters into the kernels' memory. */
export class HostWeights {
  /** As many zeros as any map has outputs. */
  readonly zeros: Place;

  /** @param widest outputs of any map */
  constructor(
    readonly kernels: DecodingKernels,
    widest: number,
  ) {
    this.zeros = kernels.allocate(widest + 4);
  }

  matrix({ data, shape }: NDArray): StoredMatrix {
    return this.kernels.storeMatrix(data, shape[0]!, shape[1]!);
  }

  vector({ data }: NDArray): Place {
    return this.kernels.store(data);
  }

  /** y = W x + bias. */
  multiply(y: Place, matrix: StoredMatrix, x: Place, bias: Place = this.zeros): void {
    this.kernels.multiply(y, matrix, x, bias);
  }
}
