import { expectInteger } from '../linalg/checks.js';
import type { FloatArray } from '../linalg/matrix.js';
import { lloydMaxDistortion, MAX_BITS } from './lloyd-max.js';

/**
 * Bits per component by reverse water-filling: `budget` bits go one by one to the component whose squared error they
 * lower most, ties to the lowest index, at most 8 each. Bits sum to the budget unless every component has 8.
 * `distortion[b]` is the squared error of a unit normal after b bits; default Lloyd-Max.
 */
export function waterfill(
  variances: FloatArray,
  budget: number,
  distortion: readonly number[] = lloydMaxDistortion,
): Int32Array {
  expectInteger(budget, 0, 'The bit budget of a water-filling');
  const bits = new Int32Array(variances.length);
  for (let spent = 0; spent < budget; spent++) {
    let best = -1;
    let bestGain = -Infinity;
    for (let i = 0; i < bits.length; i++) {
      const b = bits[i]!;
      if (b === MAX_BITS) continue;
      const gain = variances[i]! * (distortion[b]! - distortion[b + 1]!);
      if (gain > bestGain) {
        bestGain = gain;
        best = i;
      }
    }
    if (best < 0) break;
    bits[best]!++;
  }
  return bits;
}
