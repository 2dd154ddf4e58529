// Transport of single fibers and batches: the batched form against the plain loop of 4 evaluations per segment, on one engine.
// Times are CPU milliseconds of the process with one thread, so that they hold on a machine that is shared.
import { createEngine, Rng, tf, valueAndGradient } from '../../tensor-core/dist/index.js';
import {
  FiberConnection,
  FiberTransporter,
  plainReferenceConnection,
  RiemannianMetric,
  transportStepByStep,
} from '../dist/index.js';

const POINTS = 10;
const sizes = { time: [8, 32], topic: [16, 64] };

async function quartileMs(run, repeats) {
  await run();
  const times = [];
  for (let i = 0; i < repeats; i++) {
    const started = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(started);
    times.push((user + system) / 1000);
  }
  return times.sort((a, b) => a - b)[times.length >> 2];
}

function forms(connection, improved) {
  const bound = (from, p) => (p ? from.bind(p.conn, p.metric) : from);
  const fast = (p, fiber, path) =>
    new FiberTransporter(bound(connection, p), {
      integrator: 'rk4',
      normPolicy: 'interval',
      subdivide: 1,
    }).transport(fiber, path);
  const plain = (p, fiber, path) => {
    const trace = transportStepByStep(plainReferenceConnection(bound(connection, p)), fiber, path, 4);
    return tf.squeeze(tf.slice(trace, [0, POINTS - 1, 0], [-1, 1, -1]), [1]);
  };
  const ours = (p, fiber, path) => new FiberTransporter(bound(improved, p)).transport(fiber, path);
  return { plain, fast, ours };
}

const withGradient = (transport) => (p, fiber, path) => {
  const { value, gradients } = valueAndGradient((q) => tf.sum(transport(q, fiber, path)), p);
  return { value, gradients };
};

async function main(engineNames) {
  console.log('engine bundle batch pass      plain ms   batched ms  ratio   linear+polar ms  ratio');
  for (const name of engineNames) {
    const engine = await createEngine(name, { threads: 1 });
    for (const [bundle, [d, f]] of Object.entries(sizes)) {
      const rng = Rng.fromSeed(3);
      const metric = new RiemannianMetric(d, { rng });
      const connection = new FiberConnection(d, f, metric, { kind: 'reference', rng });
      const improved = new FiberConnection(d, f, metric, { kind: 'linear', rng });
      const { plain, fast, ours } = forms(connection, improved);
      for (const batch of name === 'cpu' ? [1] : [1, 16, 128]) {
        for (const pass of ['forward', 'gradient']) {
          if (name === 'cpu' && pass === 'gradient' && bundle === 'topic') continue;
          const fiber = rng.normalArray([batch, f]);
          const path = rng.normalArray([batch, POINTS, d], 0, 0.5);
          const repeats = name === 'cpu' || batch > 16 ? 5 : 30;
          const time = async (transport, from) => {
            // Forward: weights are constants, as in use. Gradient: weights are arguments, as in training.
            const forward = (f, x) => transport(undefined, f, x);
            const run = engine.compile(pass === 'forward' ? forward : withGradient(transport));
            const parameters = { metric: metric.parameters, conn: from.parameters };
            const args = pass === 'forward' ? [fiber, path] : [parameters, fiber, path];
            const ms = await quartileMs(async () => {
              const result = await run(...args);
              const leaves = pass === 'forward' ? [result] : [result.value];
              await leaves[0].data();
              release(result);
            }, repeats);
            await run.dispose();
            return ms;
          };
          const [p, b, o] = [
            await time(plain, connection),
            await time(fast, connection),
            await time(ours, improved),
          ];
          const cell = (value, width) => value.toFixed(2).padStart(width);
          console.log(
            `${name.padEnd(6)} ${bundle.padEnd(6)} ${String(batch).padStart(5)} ${pass.padEnd(8)} ${cell(p, 9)} ${cell(b, 12)} ${cell(p / b, 6)} ${cell(o, 17)} ${cell(p / o, 6)}`,
          );
        }
      }
    }
    await engine.dispose();
  }
}

function release(tree) {
  if (tree && typeof tree.dispose === 'function') tree.dispose();
  else if (tree && typeof tree === 'object') for (const child of Object.values(tree)) release(child);
}

await main(process.argv.length > 2 ? process.argv.slice(2) : ['cpu', 'onnx']);
