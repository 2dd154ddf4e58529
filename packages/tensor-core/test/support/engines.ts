import { createEngine, type Engine, type EngineName, probeEngines } from '../../src/index.js';

const REQUIRED: readonly EngineName[] = ['cpu', 'wasm', 'onnx', 'onnx-web'];

/** Every engine that this machine can load; the four that need nothing but the registry must be among them. */
export async function loadableEngines(): Promise<Engine[]> {
  const probes = await probeEngines();
  const names = probes.filter(({ available }) => available).map(({ name }) => name);
  for (const name of REQUIRED) {
    if (!names.includes(name))
      throw new Error(`The engine '${name}' must load here: ${JSON.stringify(probes)}`);
  }
  return Promise.all(names.map((name) => createEngine(name)));
}
