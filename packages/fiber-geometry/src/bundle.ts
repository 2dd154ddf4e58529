import { InputError, type NDArray, type tf } from '@palimpsest/tensor-core';
import { type ModeDefaults, modeDefaults } from './config.js';
import { type ConnectionKind, type ConnectionParameters, FiberConnection } from './connection.js';
import { type GeodesicReport, GeodesicSolver } from './geodesic-solver.js';
import { greatCirclePath } from './great-circle.js';
import type { Integrator } from './integrators.js';
import { type MetricParameters, RiemannianMetric } from './metric.js';
import { asTensor, hostValues, normalParameter, type Parameter, type RandomSource } from './parameters.js';
import { normalise } from './safe-norm.js';
import { canonicalStateDict, fillFromStateDict, type StateDict, toStateDict } from './state-dict.js';
import { FiberTransporter } from './transporter.js';

export type BundleName = 'time' | 'topic' | 'ctx';
const BUNDLE_NAMES: readonly string[] = ['time', 'topic', 'ctx'];

/** Parameters under the reference's keys. */
export interface BundleParameters {
  /** Raw canonical axis, `[d]`. */
  readonly _axis_raw: Parameter;
  readonly metric: MetricParameters;
  readonly conn: ConnectionParameters;
}

export interface BundleOptions {
  readonly name: BundleName;
  readonly dBase: number;
  readonly dFiber: number;
  /**
   * How a path between two base points is found: `geodesic` of the learned metric, or the `greatCircle` for a base that
   * is a sphere. Default: great circle for `topic`, geodesic for the others.
   */
  readonly pathKind?: 'geodesic' | 'greatCircle';
  /** Selects the defaults of the options below. Default `improved`. */
  readonly mode?: 'parity' | 'improved';
  readonly connection?: ConnectionKind;
  readonly connectionRank?: number;
  readonly gradCoupling?: boolean;
  readonly integrator?: Integrator;
  readonly normPolicy?: ModeDefaults['normPolicy'];
  readonly normCorrectionInterval?: number;
  readonly subdivide?: 'adaptive' | number;
  readonly pathVelocity?: ModeDefaults['pathVelocity'];
  readonly greatCircle?: ModeDefaults['greatCircle'];
  readonly geodesicMethod?: ModeDefaults['geodesicMethod'];
  readonly nGeoPts?: number;
  readonly geoMaxSteps?: number;
  readonly geoTol?: number;
  readonly geoLr?: number;
  readonly parameters?: BundleParameters;
  readonly rng?: RandomSource;
}

/** What an encoder makes of a memory: its base point, its fiber and its unit direction. */
export interface Encoded {
  readonly base: tf.Tensor;
  readonly fiber: tf.Tensor;
  readonly dirn: tf.Tensor;
}

/**
 * A fiber bundle: points of a base manifold with a learned metric, a vector space over each, and a learned connection
 * that carries vectors from point to point. Subclasses say how a memory is encoded.
 */
export abstract class Bundle {
  readonly name: BundleName;
  readonly dBase: number;
  readonly dFiber: number;
  readonly options: BundleOptions;
  readonly metric: RiemannianMetric;
  readonly conn: FiberConnection;
  readonly trans: FiberTransporter;
  /** Absent for a bundle whose paths are great circles. */
  readonly solver: GeodesicSolver | undefined;
  readonly parameters: BundleParameters;

  /** @throws InputError for an unknown name, or when neither parameters nor a random source is given. */
  constructor(options: BundleOptions) {
    const { name, dBase, dFiber, parameters, rng } = options;
    if (!BUNDLE_NAMES.includes(name)) {
      throw new InputError(`A bundle is named time, topic or ctx, not '${String(name)}'.`);
    }
    if (!parameters && !rng) {
      throw new InputError(
        `The bundle '${name}' needs \`parameters\`, or an \`rng\` to draw fresh ones from.`,
      );
    }
    const defaults = modeDefaults[options.mode ?? 'improved'];
    this.name = name;
    this.dBase = dBase;
    this.dFiber = dFiber;
    this.options = options;
    const source = rng ? { rng } : {};
    this.metric = new RiemannianMetric(dBase, { ...source, ...given('parameters', parameters?.metric) });
    this.conn = new FiberConnection(dBase, dFiber, this.metric, {
      kind: options.connection ?? defaults.connection,
      ...given('rank', options.connectionRank),
      ...given('gradCoupling', options.gradCoupling),
      ...source,
      ...given('parameters', parameters?.conn),
    });
    this.trans = this.#transporter(defaults);
    this.solver = this.#pathKind() === 'geodesic' ? this.#solver(defaults) : undefined;
    this.parameters = parameters ?? {
      _axis_raw: normalParameter(rng!, [dBase], 0.1),
      metric: this.metric.parameters,
      conn: this.conn.parameters,
    };
  }

  /** Base point, fiber and direction of hidden states; what `hidden` is, is the subclass's business. */
  abstract encode(...hidden: readonly unknown[]): Encoded;

  /**
   * The same bundle over other parameters, as the tensors of a compiled function. A subclass whose constructor takes more
   * than `BundleOptions` overrides it.
   */
  bind(parameters: BundleParameters): this {
    const Class = this.constructor as new (options: BundleOptions) => this;
    return new Class({ ...this.options, parameters });
  }

  /** The direction to which the bundle's Kakeya sets are aligned: `[d]`, unit, differentiable. */
  canonicalAxis(): tf.Tensor {
    return normalise(asTensor(this.parameters._axis_raw), 1e-8);
  }

  /**
   * Solves for the paths from `src` to `dst`, host arrays `[B, d]`, outside of any compiled function.
   * @throws InputError for a bundle of great circles, which need no solving.
   */
  solvePath(src: NDArray<'float32'>, dst: NDArray<'float32'>): GeodesicReport {
    if (this.solver) return this.solver.solve(src, dst);
    throw new InputError(
      `The paths of the bundle '${this.name}' are great circles; there is nothing to solve.`,
    );
  }

  /**
   * Carries fibers `[B, F]` from base points `src` to `dst`, `[B, d]`.
   * @param path for a bundle of geodesics, the solved path (`solvePath(...).path`); solved on the spot when absent, which a
   *   compiled function cannot do. Gradients reach the base points through the path's ends only.
   */
  transport(
    fiber: tf.Tensor,
    src: tf.Tensor,
    dst: tf.Tensor,
    path?: NDArray<'float32'> | tf.Tensor,
  ): tf.Tensor {
    if (!this.solver) return this.#alongGreatCircle(fiber, src, dst);
    const solved = path ?? this.solver.solve(onHost(src), onHost(dst)).path;
    return this.trans.transport(fiber, this.solver.withEnds(src, dst, solved));
  }

  /** Arrays under the reference's names, each once. */
  stateDict(): Record<string, NDArray> {
    return toStateDict(this.parameters);
  }

  /**
   * The parameters of a state dict of the reference or of ours, for the constructor of a bundle of the same sizes. All
   * alias names are accepted; saved index tables are ignored.
   * @param prefix as `bundle_topic.`
   * @throws InputError naming an array that is missing, misshapen or inconsistent with its alias.
   */
  loadStateDict(dict: StateDict, prefix = ''): BundleParameters {
    const where = `Bundle '${this.name}'`;
    return fillFromStateDict(this.parameters, canonicalStateDict(dict, prefix), where);
  }

  #alongGreatCircle(fiber: tf.Tensor, src: tf.Tensor, dst: tf.Tensor): tf.Tensor {
    const defaults = modeDefaults[this.options.mode ?? 'improved'];
    const { nGeoPts = 8, greatCircle = defaults.greatCircle } = this.options;
    const curve = greatCirclePath(src, dst, nGeoPts + 2, { kind: greatCircle });
    const tangent = (this.options.pathVelocity ?? defaults.pathVelocity) === 'tangent';
    return this.trans.transport(fiber, curve.points, tangent ? curve : undefined);
  }

  #pathKind(): 'geodesic' | 'greatCircle' {
    return this.options.pathKind ?? (this.name === 'topic' ? 'greatCircle' : 'geodesic');
  }

  #transporter(defaults: ModeDefaults): FiberTransporter {
    const { options } = this;
    return new FiberTransporter(this.conn, {
      integrator: options.integrator ?? defaults.integrator,
      normPolicy: options.normPolicy ?? defaults.normPolicy,
      subdivide: options.subdivide ?? (options.mode === 'parity' ? 1 : 'adaptive'),
      ...given('interval', options.normCorrectionInterval),
    });
  }

  #solver(defaults: ModeDefaults): GeodesicSolver {
    const { options } = this;
    return new GeodesicSolver(this.metric, {
      method: options.geodesicMethod ?? defaults.geodesicMethod,
      ...given('nGeoPts', options.nGeoPts),
      ...given('maxSteps', options.geoMaxSteps),
      ...given('tol', options.geoTol),
      ...given('lr', options.geoLr),
    });
  }
}

/** `{ [key]: value }`, or nothing when the value is absent. */
function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}

function onHost(points: tf.Tensor): NDArray<'float32'> {
  const values = hostValues(points, 'Solving for a geodesic');
  return { data: Float32Array.from(values), shape: points.shape, dtype: 'float32' };
}
