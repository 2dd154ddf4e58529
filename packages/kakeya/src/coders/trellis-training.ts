import { expect } from '../errors.js';
import { expectInteger, expectVector } from '../linalg/checks.js';
import { kMeans, nearestCentroids } from '../linalg/kmeans.js';
import {
  addScaledRow,
  centred,
  columnMeans,
  evenly,
  evenRows,
  type FloatArray,
  type Matrix,
  matrix,
  rowOf,
  takeRows,
  timesTransposed,
  timesVector,
} from '../linalg/matrix.js';
import { computePca } from '../linalg/pca.js';
import { Random } from '../linalg/random.js';
import { solveAlignedTDir } from '../set/alignment.js';
import { roundTo } from '../set/skeleton.js';
import { layoutBits } from './transform-state.js';
import {
  CENTERED_ON,
  residualsOf,
  rotateToResiduals,
  TRANSFORM_VARIANCE_RATIO,
  trainCenters,
} from './transform-training.js';
import type { TrellisCoder, TrellisLayout, TrellisOptions, TrellisState } from './trellis-coder.js';
import { trellisDistortion } from './trellis-levels.js';
import type { VectorCoder } from './vector-coder.js';
import { waterfill } from './waterfill.js';

interface Plan {
  readonly layout: TrellisLayout;
  readonly k: number;
}

/** One row in this many judges the layouts. */
const HELD_OUT_SHARE = 5;
/** Rows at most that judge the layouts, and that a layout to be judged learns from: enough to rank them. */
const JUDGES = 200;
const JUDGED_ON = 2_048;
/** Fewer rows than this cannot spare any to compare layouts. */
const FEWEST_ROWS = 20;
/** Rounds of either k-means: the residual coder takes up what slightly better centers would have saved. */
const ROUNDS = 12;

/**
 * Learns every layout on some of the rows, keeps the one that codes others best, and learns it on all. The PCA is that of all
 * rows in either case: it is the same for every layout.
 */
export function trainTrellis(
  x: Matrix,
  axis: FloatArray,
  options: TrellisOptions,
  create: (state: TrellisState) => TrellisCoder,
): TrellisCoder {
  expect(x.rows >= 2, () => `The trellis coder needs at least two rows to learn from, got ${x.rows}.`);
  expectInteger(options.bytesPerVec, 1, 'bytesPerVec of the trellis coder');
  expectInteger(options.k ?? 64, 1, 'k of the trellis coder');
  expectVector(axis, x.cols, 'The axis of the trellis coder');
  const plans = plansFor(x.rows, options);
  const prepared = preparedRows(x, axis);
  let best = plans[0]!;
  if (plans.length > 1) {
    const held = (row: number) => row % HELD_OUT_SHARE === 0;
    const rows = [...Array(x.rows).keys()];
    const learnt = evenly(
      rows.filter((row) => !held(row)),
      JUDGED_ON,
    );
    const learn = { ...prepared, coefficients: takeRows(prepared.coefficients, learnt) };
    const judge = takeRows(x, evenly(rows.filter(held), JUDGES));
    const errors = plans.map((plan) => squaredError(create(learnState(learn, options, plan)), judge));
    best = plans[errors.indexOf(Math.min(...errors))]!;
  }
  return create(learnState(prepared, options, best));
}

/** What every layout shares: the PCA of the rows, the aligned direction and all coefficients. */
interface Prepared {
  readonly basis: Matrix;
  readonly mean: Float64Array;
  readonly tDir: Float64Array;
  readonly coefficients: Matrix;
}

function preparedRows(x: Matrix, axis: FloatArray): Prepared {
  const { basis, mean } = computePca(x, TRANSFORM_VARIANCE_RATIO, { rankRule: 'numerical' });
  const tDir = solveAlignedTDir(timesVector(basis, axis)).tDir;
  return { basis, mean, tDir, coefficients: timesTransposed(centred(x, mean), basis) };
}

/** Layouts that fit the budget, with enough rows per center to know it. */
function plansFor(rows: number, options: TrellisOptions): Plan[] {
  const most = Math.max(1, Math.min(options.k ?? 64, Math.floor(rows / 8)));
  const plans: Plan[] = [{ layout: 'centroids', k: 1 }];
  if (rows < FEWEST_ROWS) return plans;
  for (const layout of ['lengths', 'centroids'] as const) {
    if (most > 1 && layoutBits(layout, most) <= 8 * options.bytesPerVec) plans.push({ layout, k: most });
  }
  return plans;
}

function learnState(rows: Prepared, options: TrellisOptions, plan: Plan): TrellisState {
  const dtype = options.skeletonDtype ?? 'f32';
  const { basis, mean, tDir, coefficients } = rows;
  const some = evenRows(coefficients, CENTERED_ON);
  const centers = centersFor(plan, some, tDir, options.seed ?? 0);
  const { residuals, scales } =
    plan.layout === 'lengths'
      ? residualsOf(coefficients, tDir, centers)
      : { residuals: minusNearest(coefficients, centers), scales: new Float64Array(2) };
  const frame = rotateToResiduals({ basis, mean, tDir, centers }, residuals, dtype);
  const budget = 8 * options.bytesPerVec - layoutBits(plan.layout, centers.rows);
  return {
    layout: plan.layout,
    ...frame.parts,
    bits: waterfill(frame.variances, budget, trellisDistortion),
    scales: roundTo('f32', scales),
  };
}

function centersFor(plan: Plan, coefficients: Matrix, tDir: Float64Array, seed: number): Matrix {
  if (plan.layout === 'lengths') return trainCenters(coefficients, tDir, plan.k, { maxIter: ROUNDS });
  if (plan.k === 1) return matrix(1, coefficients.cols, columnMeans(coefficients));
  return kMeans(coefficients, plan.k, ROUNDS, new Random(seed));
}

function minusNearest(coefficients: Matrix, centers: Matrix): Matrix {
  const nearest = nearestCentroids(coefficients, centers);
  const residuals = matrix(coefficients.rows, coefficients.cols, Float64Array.from(coefficients.data));
  for (let i = 0; i < residuals.rows; i++) {
    const row = rowOf(residuals, i);
    addScaledRow(row, centers, nearest[i]!, -1);
  }
  return residuals;
}

function squaredError(coder: VectorCoder, rows: Matrix): number {
  const decoded = coder.decodeRows(coder.encodeRows(rows));
  let sum = 0;
  for (let i = 0; i < rows.data.length; i++) sum += (rows.data[i]! - decoded.data[i]!) ** 2;
  return sum;
}
