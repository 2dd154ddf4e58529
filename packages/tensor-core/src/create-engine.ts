import type { Engine, EngineName, EngineProbe } from './engine.js';
import { EagerEngine } from './engines/eager.js';
import { EngineError } from './errors.js';

/** Options of `createEngine`. */
export interface EngineOptions {
  /** Threads for one op. Default: the number of physical cores that the runtime finds. */
  readonly threads?: number;
}

const ORDER: readonly EngineName[] = ['onnx', 'onnx-web', 'tfjs-node-gpu', 'tfjs-node', 'wasm', 'cpu'];

export async function probeEngines(): Promise<EngineProbe[]> {
  return [];
}

export async function createEngine(
  name: EngineName | 'auto' = 'auto',
  _options: EngineOptions = {},
): Promise<Engine> {
  if (name !== 'auto' && !ORDER.includes(name)) {
    throw new EngineError(`There is no engine '${name}'; the engines are auto, ${ORDER.join(', ')}.`);
  }
  return new EagerEngine('cpu', 'cpu', {
    name: 'cpu',
    runtime: 'TensorFlow.js',
    device: 'cpu',
    threads: 1,
    reason: 'asked for',
    unavailable: [],
  });
}
