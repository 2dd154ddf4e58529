/**
 * Participation ratio of the singular values s of a memory, `(Σ s²)² / Σ s⁴`: how many slots hold different things, from 1
 * (all rows are multiples of one vector) to min(slots, width). From the Gram matrix G = M Mᵀ it is `tr(G)² / ‖G‖²`, which
 * needs no decomposition.
 * @param memory one text's memory, row-major [slots, width].
 * @returns 0 for a memory of zeros.
 */
export function participationRatio(memory: ArrayLike<number>, slots: number): number {
  const width = memory.length / slots;
  let trace = 0;
  let squares = 0;
  for (let i = 0; i < slots; i++) {
    for (let j = i; j < slots; j++) {
      let product = 0;
      for (let c = 0; c < width; c++) product += memory[i * width + c]! * memory[j * width + c]!;
      squares += (i === j ? 1 : 2) * product * product;
      if (i === j) trace += product;
    }
  }
  return squares === 0 ? 0 : (trace * trace) / squares;
}
