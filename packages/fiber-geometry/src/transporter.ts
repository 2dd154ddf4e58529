import { InputError, tf } from '@palimpsest/tensor-core';
import { type ConnectionFn, FiberConnection } from './connection.js';
import { type GeneratorSamples, sampleConnection } from './connection-samples.js';
import { type Integrator, stepMatrices } from './integrators.js';
import { hostValues, isTracing } from './parameters.js';
import { checkPath, type PathVelocity } from './path.js';
import { safeNorm } from './safe-norm.js';
import { LARGEST_ROTATION, segmentRotation, splitSegments } from './subdivide.js';

export interface TransporterOptions {
  /** Default `polar`. */
  readonly integrator?: Integrator;
  /**
   * `exact` (default): the length is restored once at the end, which for an orthogonal integrator removes rounding only.
   * `interval`: the original's renormalisation every `interval` segments. `none`: nothing.
   */
  readonly normPolicy?: 'interval' | 'exact' | 'none';
  /** Segments between renormalisations of the `interval` policy. Default 4. */
  readonly interval?: number;
  /**
   * Pieces per segment. `adaptive` (default) splits a segment in ⌈ρ⌉ pieces where ρ = max ‖A‖_F/√2 exceeds 1; it has to
   * read values, so a compiled function takes it for 1: give a number there, found with `rotation()`.
   */
  readonly subdivide?: 'adaptive' | number;
  /** Rows of connection samples evaluated at once; bounds memory to about rows·F² floats. Default 512. */
  readonly maxRows?: number;
}

const NORM_FLOOR = 1e-8;
/** Pieces that adaptive subdivision will go to for one segment. */
const MOST_PIECES = 256;

/**
 * Parallel transport: solves f' = −A(x(s), x'(s)) f along a path, with unit step per segment. All evaluations of the
 * connection are made in one batched call, and only the fiber is carried from segment to segment (specification,
 * section 13). Differentiable in the fiber, the path and the connection's parameters.
 */
export class FiberTransporter {
  readonly integrator: Integrator;
  readonly normPolicy: 'interval' | 'exact' | 'none';
  readonly interval: number;
  readonly subdivide: 'adaptive' | number;
  readonly maxRows: number;

  /** @throws InputError for an interval or number of pieces below 1. */
  constructor(
    readonly connection: FiberConnection | ConnectionFn,
    options: TransporterOptions = {},
  ) {
    this.integrator = options.integrator ?? 'polar';
    this.normPolicy = options.normPolicy ?? 'exact';
    this.interval = wholeNumber('interval', options.interval ?? 4);
    this.maxRows = wholeNumber('maxRows', options.maxRows ?? 512);
    const { subdivide = 'adaptive' } = options;
    this.subdivide = subdivide === 'adaptive' ? subdivide : wholeNumber('subdivide', subdivide);
  }

  /**
   * Carries a fiber `[B, F]` along a path `[B, P, d]` to its last point.
   * @param velocity tangents of a curved path, as from `greatCirclePath`; chords when absent.
   */
  transport(fiber: tf.Tensor, path: tf.Tensor, velocity?: PathVelocity): tf.Tensor {
    this.#check(path);
    if (fiber.rank !== 2 || fiber.shape[0] !== path.shape[0]) {
      throw new InputError(
        `A fiber must have shape [${path.shape[0]}, F] to go with a path of shape [${path.shape.join(', ')}], but has [${fiber.shape.join(', ')}].`,
      );
    }
    if (path.shape[1] === 1) return fiber;
    const connection = prepare(this.connection);
    const chunks = this.#chunks(path, velocity, fiber);
    return joined(chunks.map((chunk) => this.#transportChunk(connection, chunk)));
  }

  /** The matrix that carries any fiber along the path, `[B, F, F]`: one call serves many fibers. */
  transportMatrix(path: tf.Tensor, velocity?: PathVelocity): tf.Tensor {
    this.#check(path);
    if (path.shape[1] === 1) throw new InputError('A transport matrix needs a path of at least 2 points.');
    const connection = prepare(this.connection);
    return joined(
      this.#chunks(path, velocity).map((chunk) =>
        orderedProduct(stepMatrices(...this.#samples(connection, chunk), this.integrator)),
      ),
    );
  }

  /** The step matrices of all segments, `[B, S, F, F]`. */
  stepMatrices(path: tf.Tensor, velocity?: PathVelocity): tf.Tensor {
    this.#check(path);
    const steps = stepMatrices(...this.#samples(this.connection, { path, velocity }), this.integrator);
    return tf.transpose(steps, [1, 0, 2, 3]);
  }

  /** ρ = max ‖A‖_F/√2 per segment, `[S, B]`: above 1 a segment should be subdivided. */
  rotation(path: tf.Tensor, velocity?: PathVelocity): tf.Tensor {
    this.#check(path);
    return segmentRotation(sampleConnection(this.connection, path, velocity));
  }

  #transportChunk(connection: AnyConnection, chunk: Chunk): tf.Tensor {
    const fiber = chunk.fiber!;
    const samples = this.#samples(connection, chunk);
    const segments = samples[0].shape[0]!;
    const length = tf.maximum(safeNorm(fiber), NORM_FLOOR);
    const restore = (f: tf.Tensor) => tf.mul(f, tf.div(length, tf.maximum(safeNorm(f), NORM_FLOOR)));
    // Steps are linear and a correction is a positive factor, so of many corrections only the last one matters.
    const correctAfter =
      this.normPolicy === 'interval' ? Math.floor(segments / this.interval) * this.interval : 0;
    const step = this.#stepper(samples);
    let row = tf.expandDims(fiber, 1);
    for (let segment = 0; segment < segments; segment++) {
      row = step(row, segment);
      if (segment + 1 === correctAfter) row = tf.expandDims(restore(tf.squeeze(row, [1])), 1);
    }
    const result = tf.squeeze(row, [1]);
    return this.normPolicy === 'exact' ? restore(result) : result;
  }

  /**
   * Applies one segment to fibers as rows `[B, 1, F]`: Runge–Kutta needs only vector times matrix, unless the fibers are
   * few and small, where fewer operations count more than fewer products; the others need their step matrix.
   */
  #stepper(samples: GeneratorSamples): (row: tf.Tensor, segment: number) => tf.Tensor {
    if (this.integrator === 'rk4' && !preferStepMatrices(samples[0])) {
      const [start, middle, end] = samples.map((sample) => tf.unstack(sample, 0)) as [
        tf.Tensor[],
        tf.Tensor[],
        tf.Tensor[],
      ];
      return (row, k) => rungeKuttaStep(row, start[k]!, middle[k]!, end[k]!);
    }
    const steps = tf.unstack(stepMatrices(...samples, this.integrator), 0);
    return (row, k) => tf.matMul(row, steps[k]!, false, true);
  }

  #samples(connection: AnyConnection, { path, velocity }: Chunk): GeneratorSamples {
    if (this.subdivide !== 'adaptive') {
      return splitSamples(
        connection,
        path,
        velocity,
        new Array<number>(path.shape[1]! - 1).fill(this.subdivide),
      );
    }
    const samples = sampleConnection(connection, path, velocity);
    if (isTracing()) return samples;
    const parts = neededParts(samples);
    return parts.every((count) => count === 1) ? samples : splitSamples(connection, path, velocity, parts);
  }

  #chunks(path: tf.Tensor, velocity?: PathVelocity, fiber?: tf.Tensor): Chunk[] {
    const [batch, points] = path.shape as [number, number, number];
    const size = Math.max(1, Math.floor(this.maxRows / (3 * (points - 1))));
    if (batch <= size) return [{ path, velocity, fiber }];
    const starts = Array.from({ length: Math.ceil(batch / size) }, (_, index) => index * size);
    return starts.map((start) => {
      const rows = (x: tf.Tensor) =>
        tf.slice(
          x,
          [start, ...new Array<number>(x.rank - 1).fill(0)],
          [Math.min(size, batch - start), ...x.shape.slice(1)],
        );
      return {
        path: rows(path),
        fiber: fiber && rows(fiber),
        velocity: velocity && {
          midpoints: rows(velocity.midpoints),
          tangents: rows(velocity.tangents),
          midpointTangents: rows(velocity.midpointTangents),
        },
      };
    });
  }

  #check(path: tf.Tensor): void {
    checkPath(path, this.connection instanceof FiberConnection ? this.connection.dBase : undefined);
  }
}

type AnyConnection = FiberConnection | ConnectionFn;

/** Products that forming the step matrices of Runge–Kutta may cost in a graph before vectors are cheaper. */
const FEW_PRODUCTS = 8e6;

function preferStepMatrices(sample: tf.Tensor): boolean {
  return isTracing() && 3 * sample.size * sample.shape[sample.rank - 1]! <= FEW_PRODUCTS;
}

function prepare(connection: AnyConnection): AnyConnection {
  return connection instanceof FiberConnection ? connection.prepared() : connection;
}

function splitSamples(
  connection: AnyConnection,
  path: tf.Tensor,
  velocity: PathVelocity | undefined,
  parts: readonly number[],
): GeneratorSamples {
  if (parts.every((count) => count === 1)) return sampleConnection(connection, path, velocity);
  const split = splitSegments(path, velocity, parts);
  return sampleConnection(connection, split.path, split.velocity);
}

/** Pieces per segment, ⌈ρ⌉ for the item of the batch that turns most. */
function neededParts(samples: GeneratorSamples): number[] {
  const tensor = tf.tidy(() => tf.max(segmentRotation(samples), 1));
  const largest = hostValues(tensor, 'Subdivision');
  tensor.dispose();
  return Array.from(largest, (rho) => {
    if (!Number.isFinite(rho)) {
      throw new InputError(
        'The connection gave NaN or infinity along the path; check its weights and the path.',
      );
    }
    return Math.min(MOST_PIECES, Math.max(1, Math.ceil(rho / LARGEST_ROTATION)));
  });
}

interface Chunk {
  readonly path: tf.Tensor;
  readonly velocity?: PathVelocity | undefined;
  readonly fiber?: tf.Tensor | undefined;
}

function wholeNumber(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InputError(`FiberTransporter: '${name}' must be a whole number of at least 1, but is ${value}.`);
}

function joined(chunks: tf.Tensor[]): tf.Tensor {
  return chunks.length === 1 ? chunks[0]! : tf.concat(chunks, 0);
}

/** A f for `[B, F, F]` and `[B, F]`. */
export function timesVector(matrix: tf.Tensor, fiber: tf.Tensor): tf.Tensor {
  return tf.squeeze(tf.matMul(matrix, tf.expandDims(fiber, 2)), [2]);
}

/**
 * One Runge–Kutta step of f' = −A f on rows `[B, 1, F]`. As A is antisymmetric, the row of −A f is the row of f times A.
 */
export function rungeKuttaStep(
  row: tf.Tensor,
  start: tf.Tensor,
  middle: tf.Tensor,
  end: tf.Tensor,
): tf.Tensor {
  const k1 = tf.matMul(row, start);
  const k2 = tf.matMul(tf.add(row, tf.mul(k1, 0.5)), middle);
  const k3 = tf.matMul(tf.add(row, tf.mul(k2, 0.5)), middle);
  const k4 = tf.matMul(tf.add(row, k3), end);
  const inner = tf.mul(tf.add(k2, k3), 1 / 3);
  return tf.add(tf.add(row, inner), tf.mul(tf.add(k1, k4), 1 / 6));
}

/** U_{S−1} … U_1 U_0 of `[S, B, F, F]` as a balanced tree of batched products: depth ⌈log2 S⌉. */
export function orderedProduct(steps: tf.Tensor): tf.Tensor {
  let matrices = steps;
  while (matrices.shape[0]! > 1) {
    const [count, ...rest] = matrices.shape as [number, number, number, number];
    const pairs = Math.floor(count / 2);
    const paired = tf.reshape(tf.slice(matrices, [0, 0, 0, 0], [2 * pairs, -1, -1, -1]), [pairs, 2, ...rest]);
    const [first, second] = tf.unstack(paired, 1) as [tf.Tensor, tf.Tensor];
    const products = tf.matMul(second, first);
    matrices =
      count % 2 === 0
        ? products
        : tf.concat([products, tf.slice(matrices, [count - 1, 0, 0, 0], [1, -1, -1, -1])], 0);
  }
  return tf.squeeze(matrices, [0]);
}
