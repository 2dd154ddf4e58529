import type { GoldenContext, GoldenHandler } from '@palimpsest/base/golden';
import { christoffelSymbols } from '../christoffel.js';
import { GeodesicSolver } from '../geodesic-solver.js';
import type { Manifold } from '../manifolds/manifold.js';
import { mobiusAdd, PoincareBall } from '../manifolds/poincare-ball.js';
import { Sphere } from '../manifolds/sphere.js';
import { type MetricField, poincareBallField, stereographicSphereField } from '../metric-field.js';
import { engineOf, GeometryCase, runOnce } from './geometry-case.js';

async function closedForms(
  golden: GeometryCase,
  context: GoldenContext,
  manifold: Manifold,
  name: string,
  ends: readonly [string, string],
): Promise<void> {
  const geodesics = golden.namesUnder(`out/${name}/geodesic`).map(Number);
  const results = await runOnce(
    engineOf(context),
    (x, y, tangent) => ({
      dist: manifold.dist(x, y),
      log: manifold.log(x, y),
      exp: manifold.exp(x, tangent),
      transport: manifold.transport(x, y, tangent),
      geodesic: Object.fromEntries(
        geodesics.map((count) => [
          String(count),
          manifold.geodesic(
            x,
            y,
            Array.from({ length: count }, (_, k) => k / (count - 1)),
          ),
        ]),
      ),
      metric: manifold.metric(x),
      mobiusAdd: mobiusAdd(x, y),
    }),
    golden.input(`in/${name}/${ends[0]}`),
    golden.input(`in/${name}/${ends[1]}`),
    golden.input(`in/${name}/tangent`),
  );
  for (const [path, values] of results) {
    const output = `out/${name}/${path.replace('geodesic.', 'geodesic')}`;
    golden.output(output, values);
  }
}

function metricField(golden: GeometryCase, name: string, field: MetricField): void {
  const x = golden.array('in/ball/x');
  const points = Float64Array.from(x.data);
  const count = x.shape[0]!;
  golden.output(`out/${name}/metric`, field.metricAt(points, count));
  golden.output(`out/${name}/christoffel`, christoffelSymbols(field, points, count));
  golden.output(`out/${name}/metricGradient`, () => field.metricGradientAt(points, count));
  for (const interior of golden.source.config.nGeoPts as number[]) {
    const solver = new GeodesicSolver(field, { nGeoPts: interior, tol: 1e-9 });
    const solved = solver.solve(x, golden.array('in/ball/y'));
    golden.output(`out/${name}/solverLength${interior}`, solved.length);
    golden.output(`out/${name}/solverPath${interior}`, solved.path.data);
  }
}

const manifoldHandler: GoldenHandler = {
  system: 'fiber-geometry',
  kind: 'known-manifolds',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    await closedForms(golden, context, Sphere, 'sphere', ['p', 'q']);
    await closedForms(golden, context, PoincareBall, 'ball', ['x', 'y']);
    const d = golden.array('in/ball/x').shape[1]!;
    metricField(golden, 'ball', poincareBallField(d));
    metricField(golden, 'stereographic', stereographicSphereField(d));
    golden.output('out/stereographic/dist', stereographicDistances(golden));
    return golden.outputs;
  },
};

/** The chord's angle between the points of the sphere that x and y stand for: 2 atan-form of the closed distance. */
function stereographicDistances(golden: GeometryCase): number[] {
  const [x, y] = [golden.array('in/ball/x'), golden.array('in/ball/y')];
  const d = x.shape[1]!;
  return Array.from({ length: x.shape[0]! }, (_, row) => {
    let [difference, xx, yy] = [0, 0, 0];
    for (let i = row * d; i < (row + 1) * d; i++) {
      difference += (x.data[i]! - y.data[i]!) ** 2;
      xx += x.data[i]! ** 2;
      yy += y.data[i]! ** 2;
    }
    return 2 * Math.asin(Math.sqrt(difference / ((1 + xx) * (1 + yy))));
  });
}

export const manifoldHandlers: readonly GoldenHandler[] = [manifoldHandler];
