import type { GoldenHandler } from '@palimpsest/base/golden';
import { adamw, clipByGlobalNorm, ndarray, tf, valueAndGradient } from '@palimpsest/tensor-core';
import { FiberConnection } from '../connection.js';
import { RiemannianMetric } from '../metric.js';
import { engineOf, GeometryCase } from './geometry-case.js';
import { netNames, parityTransporter } from './tensor-handlers.js';

const optimiserHandler: GoldenHandler = {
  system: 'fiber-geometry',
  kind: 'optimiser-steps',
  async run(testCase, context) {
    const golden = new GeometryCase(testCase);
    const d = golden.number('dBase');
    const metric = new RiemannianMetric(d, { parameters: golden.metricParameters('weights/conn.metric.') });
    const connection = new FiberConnection(d, golden.number('dFiber'), metric, {
      kind: 'reference',
      parameters: golden.connectionParameters('weights/conn.'),
    });
    const optimiser = adamw({
      betas: golden.source.config.betas as [number, number],
      epsilon: golden.number('eps'),
      weightDecay: golden.number('weightDecay'),
    });
    const first = { metric: metric.parameters, conn: connection.parameters };
    const interval = golden.number('normCorrectionInterval');
    const step = engineOf(context).compile(
      (parameters: typeof first, state: never, batch: Record<string, tf.Tensor>, learningRate: tf.Tensor) => {
        const { value, gradients } = valueAndGradient((p) => {
          const bound = connection.bind(p.conn, p.metric);
          const fiber = parityTransporter(bound, interval).transport(batch.fiber!, batch.path!);
          return tf.mean(tf.square(tf.sub(fiber, batch.target!)));
        }, parameters);
        const clipped = clipByGlobalNorm(gradients, golden.number('clipNorm'));
        const next = optimiser.update(parameters, clipped.gradients as never, state, { learningRate });
        return { ...next, loss: value, norm: clipped.norm };
      },
      { name: 'transport fitting step' },
    );
    const batch = Object.fromEntries(
      ['fiber', 'path', 'target'].map((name) => [name, golden.array(`in/${name}`)]),
    );
    let parameters: unknown = first;
    let state: unknown = optimiser.init(first);
    const losses: number[] = [];
    const norms: number[] = [];
    for (let i = 0; i < golden.number('steps'); i++) {
      const learningRate = ndarray(golden.number('lr'));
      const next = await step(parameters as never, state as never, batch as never, learningRate as never);
      losses.push(await next.loss.item());
      norms.push(await next.norm.item());
      parameters = next.parameters;
      state = next.state;
    }
    golden.output('out/loss', losses);
    golden.output('out/gradNorm', norms);
    await compareWeights(golden, parameters);
    await step.dispose();
    return golden.outputs;
  },
};

async function compareWeights(golden: GeometryCase, parameters: unknown): Promise<void> {
  const names = new Map([...netNames('metric', 'conn.metric.'), ...netNames('conn', 'conn.')]);
  for (const [path, name] of names) {
    let leaf = parameters as Record<string, unknown>;
    for (const key of path.split('.')) leaf = leaf[key] as Record<string, unknown>;
    const values = await (leaf as unknown as { data(): Promise<ArrayLike<number>> }).data();
    golden.output(`out/weightsAfter/${name}`, values);
  }
}

export const optimiserHandlers: readonly GoldenHandler[] = [optimiserHandler];
