import { cpus, totalmem } from 'node:os';
import {
  createEngine,
  type EngineDescription,
  type EngineName,
  type EngineOptions,
  type EngineProbe,
  ndarray,
  probeEngines,
  tf,
} from '@palimpsest/tensor-core';
import { textTable } from './report/table.js';
import { packageVersions } from './results/provenance.js';

/** What `doctor` finds out about this machine. */
export interface Diagnosis {
  readonly node: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly packages: Readonly<Record<string, string>>;
  readonly engines: readonly EngineProbe[];
  /** The engine that a command would use, or why there is none. */
  readonly chosen: EngineDescription | { readonly error: string };
  /** A product of two matrices and its gradient on the chosen engine, against the known numbers. */
  readonly selfTest: { readonly passed: boolean; readonly milliseconds: number; readonly detail: string };
  readonly healthy: boolean;
}

/** Looks for every engine, picks one as a command would, and computes a known result on it. */
export async function diagnose(
  name: EngineName | 'auto' = 'auto',
  options: EngineOptions = {},
): Promise<Diagnosis> {
  const processors = cpus();
  const { chosen, selfTest } = await tryEngine(name, options);
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    packages: packageVersions(),
    engines: await probeEngines(options),
    chosen,
    selfTest,
    healthy: selfTest.passed,
  };
}

async function tryEngine(
  name: EngineName | 'auto',
  options: EngineOptions,
): Promise<Pick<Diagnosis, 'chosen' | 'selfTest'>> {
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  try {
    const engine = await createEngine(name, options);
    try {
      const [product, gradient] = await productAndGradient(engine);
      const passed = product.join() === '19,22,43,50' && gradient.join() === '11,15,11,15';
      const detail = passed
        ? 'a matrix product and its gradient are right'
        : `a matrix product gave [${product}] with the gradient [${gradient}]`;
      return { chosen: engine.describe(), selfTest: { passed, milliseconds: elapsed(), detail } };
    } finally {
      await engine.dispose();
    }
  } catch (error) {
    const message = (error as Error).message;
    return {
      chosen: { error: message },
      selfTest: { passed: false, milliseconds: elapsed(), detail: message },
    };
  }
}

async function productAndGradient(
  engine: Awaited<ReturnType<typeof createEngine>>,
): Promise<[number[], number[]]> {
  const run = engine.compile(
    (left: tf.Tensor, right: tf.Tensor) => {
      const total = (input: tf.Tensor) => tf.sum(tf.matMul(input as tf.Tensor2D, right as tf.Tensor2D));
      return {
        product: tf.matMul(left as tf.Tensor2D, right as tf.Tensor2D),
        gradient: tf.grad(total)(left),
      };
    },
    { name: 'doctor' },
  );
  const { product, gradient } = await run(ndarray([1, 2, 3, 4], [2, 2]), ndarray([5, 6, 7, 8], [2, 2]));
  return [[...(await product.data())], [...(await gradient.data())]];
}

/**
 * The diagnosis for people: machine, engines with remedies, and the self-test.
 * @param width most characters of a line of the table. Default: no limit.
 */
export function formatDiagnosis(diagnosis: Diagnosis, width?: number): string {
  const { chosen, selfTest } = diagnosis;
  const engines = diagnosis.engines.map(({ name, available, reason, remedy }) => [
    available ? '✓' : '✗',
    name,
    reason,
    available ? '' : (remedy ?? ''),
  ]);
  const used =
    'error' in chosen
      ? `none: ${chosen.error}`
      : `${chosen.name} (${chosen.runtime}, ${chosen.device}, ${chosen.threads} threads): ${chosen.reason}`;
  const gigabytes = (diagnosis.memoryBytes / 2 ** 30).toFixed(1);
  return [
    `Node ${diagnosis.node} on ${diagnosis.platform}, ${diagnosis.cpu}, ${diagnosis.cores} cores, ${gigabytes} GiB`,
    `engine in use: ${used}`,
    `self-test: ${selfTest.passed ? 'passed' : 'failed'} in ${selfTest.milliseconds.toFixed(0)} ms, ${selfTest.detail}`,
    '',
    textTable(['', 'engine', 'what was found', 'what helps'], engines, [], width),
    '',
    `packages: ${Object.entries(diagnosis.packages)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}`,
  ].join('\n');
}
