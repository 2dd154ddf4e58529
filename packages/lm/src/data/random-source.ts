import type { Rng } from '@palimpsest/tensor-core';

/** Where a source of batches takes its random numbers from: an `Rng`, or another stream with the same calls. */
export type RandomSource = Pick<Rng, 'uniform' | 'int' | 'state'>;
