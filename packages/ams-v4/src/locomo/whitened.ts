import { computePca, matrixFromRows } from '@palimpsest/kakeya';

/** What is known of every turn and question of a conversation: a few parts, each of rows of one width. */
export interface ConversationParts {
  readonly turns: readonly (readonly Float32Array[])[];
  readonly questions: readonly (readonly Float32Array[])[];
}

/** Turns that components are computed from; more change little. */
const ROWS_OF_COMPONENTS = 2000;
/** Added to a variance, as a share of the largest, so that what is nearly constant is not blown up. */
const FLOOR = 1e-3;

/**
 * Components of a part over the turns of some conversations, all of one variance, and texts at one length: in the states of a language
 * model a few directions outweigh all others and say nothing.
 */
export class Whitening {
  private constructor(
    private readonly mean: Float64Array,
    /** Mean of the questions, which are unlike turns in the same way. */
    private readonly questionMean: Float64Array,
    private readonly axes: readonly Float64Array[],
  ) {}

  /** @param width components that are kept, the strongest ones */
  static of(turns: readonly Float32Array[], questions: readonly Float32Array[], width: number): Whitening {
    const every = Math.max(1, Math.floor(turns.length / ROWS_OF_COMPONENTS));
    const some = turns.filter((_, row) => row % every === 0);
    const { basis, mean, singularValues } = computePca(matrixFromRows(some), 1);
    const variance = (i: number) => (singularValues[i]! * singularValues[i]!) / some.length;
    const floor = FLOOR * variance(0);
    const axes = Array.from({ length: Math.min(width, basis.rows) }, (_, i) => {
      const scale = 1 / Math.sqrt(variance(i) + floor);
      return basis.data.slice(i * basis.cols, (i + 1) * basis.cols).map((value) => value * scale);
    });
    return new Whitening(mean, meanOf(questions), axes);
  }

  turn(row: Float32Array): Float32Array {
    return this.#applied(row, this.mean);
  }

  question(row: Float32Array): Float32Array {
    return this.#applied(row, this.questionMean);
  }

  #applied(row: Float32Array, mean: Float64Array): Float32Array {
    const centred = Float64Array.from(row, (value, i) => value - mean[i]!);
    const made = Float32Array.from(this.axes, (axis) => {
      let sum = 0;
      for (let i = 0; i < axis.length; i++) sum += axis[i]! * centred[i]!;
      return sum;
    });
    const length = Math.hypot(...made);
    // Numbers of size 1, whatever the width.
    const scale = length === 0 ? 0 : Math.sqrt(made.length) / length;
    return made.map((value) => value * scale);
  }
}

function meanOf(rows: readonly Float32Array[]): Float64Array {
  const mean = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) for (let i = 0; i < mean.length; i++) mean[i]! += row[i]! / rows.length;
  return mean;
}
