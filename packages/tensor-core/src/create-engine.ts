import { EngineError } from '@palimpsest/base';
import { platform } from '#platform';
import type { Engine, EngineDescription, EngineName, EngineProbe } from './engine.js';
import { EagerEngine } from './engines/eager.js';
import { type GraphLimits, graphLimits } from './engines/graph-limits.js';
import { OnnxEngine } from './engines/onnx.js';
import { loadNodeRuntime, type OnnxRuntime } from './engines/onnx-runtime.js';
import { loadTensorflowNode } from './engines/tensorflow-node.js';
import { prepareCpu, prepareWasm } from './engines/tfjs-backends.js';
import { loadWebRuntime } from './engines/web-runtime.js';
import type { WebRuntime } from './platform/platform.js';

/** Options of `createEngine`. */
export interface EngineOptions {
  /** Threads for one op; graphs with little work use one. Default: `PALIMPSEST_THREADS` or all cores for `onnx`; 1 for `onnx-web`, in pages that are cross-origin isolated and name `assets`, half the cores and at most 4; the TensorFlow.js backends choose themselves. */
  readonly threads?: number | undefined;
  /**
   * Execution provider of ONNX Runtime: `cpu` (default), `webgpu`, `cuda` in Node; `wasm` (default), `webgpu` in browsers.
   * A page that has no graphics adapter computes on `wasm` in place of `webgpu`; `describe()` says so, and why.
   */
  readonly provider?: string;
  /**
   * Bytes that the compiled graphs of an engine may hold, all together; default 2 GiB. Those that were not used for the
   * longest time are released, and built anew when they are needed. For `onnx` and `onnx-web`; other engines keep no graphs.
   */
  readonly graphBytes?: number;
  /**
   * Frozen arguments of at most this many bytes become part of their graph, which lets `onnx` pack them for its products;
   * default 64 MiB. Larger ones stay where they are, one copy for all graphs. `onnx-web` copies them into every graph.
   */
  readonly bakedBytes?: number;
  /**
   * Address of the folder with the WASM files of `wasm` (`tfjs-backend-wasm-simd.wasm`) or `onnx-web`
   * (`ort-wasm-simd-threaded.wasm` and `.mjs`, or those of another build), for bundlers that do not bring them along.
   * Default: where they lie beside their modules.
   */
  readonly assets?: string | URL;
  /**
   * The build of ONNX Runtime that `onnx-web` runs on: the module `onnxruntime-web/wasm`, or `onnxruntime-web/webgpu`, which the
   * provider `webgpu` needs. A page imports it itself, so that no other page ships its 14 or 27 MB; in Node the default is
   * `onnxruntime-web` where that is installed.
   */
  readonly onnxRuntime?: WebRuntime | Promise<WebRuntime>;
}

type EngineParts = Pick<EngineDescription, 'runtime' | 'device' | 'threads'> & {
  /** What the description has to say about them. */
  readonly note?: string | undefined;
  make(description: EngineDescription): Engine;
};

interface EngineKind {
  readonly name: EngineName;
  /** What helps in Node.js. */
  readonly remedy: string;
  /** What helps in a page; nothing for engines that need Node.js. */
  readonly pageRemedy?: string;
  load(options: EngineOptions): Promise<EngineParts>;
}

const onnxParts = (name: EngineName, runtime: OnnxRuntime, limits: GraphLimits): EngineParts => ({
  runtime: `${runtime.library} ${runtime.version}`,
  device: runtime.device,
  threads: runtime.threads,
  note: runtime.note,
  make: (description) => new OnnxEngine(name, runtime, description, limits),
});

const eagerParts = (name: EngineName, backend: string, runtime: string, device: string): EngineParts => ({
  runtime,
  device,
  threads: 1,
  make: (description) => new EagerEngine(name, backend, description),
});

/** All engines, best first. */
const KINDS: readonly EngineKind[] = [
  {
    name: 'onnx',
    remedy: 'ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30',
    load: async (options) => {
      await prepareCpu();
      return onnxParts('onnx', await loadNodeRuntime(options), graphLimits(options));
    },
  },
  {
    name: 'onnx-web',
    remedy: 'npm install onnxruntime-web@1.30',
    pageRemedy:
      "npm install onnxruntime-web@1.30, give its module 'onnxruntime-web/wasm' as 'onnxRuntime', and serve its ort-wasm-simd-threaded.* beside your program or from the folder that you name as 'assets'",
    load: async (options) => {
      await prepareCpu();
      return onnxParts('onnx-web', await loadWebRuntime(options), graphLimits(options));
    },
  },
  {
    name: 'tfjs-node-gpu',
    remedy: 'npm install @tensorflow/tfjs-node-gpu@4.22 (needs Node < 23, CUDA 11 and a download at install)',
    load: async () => {
      const version = await loadTensorflowNode('@tensorflow/tfjs-node-gpu');
      return eagerParts(
        'tfjs-node-gpu',
        'tensorflow',
        `@tensorflow/tfjs-node-gpu ${version}`,
        'libtensorflow, CUDA',
      );
    },
  },
  {
    name: 'tfjs-node',
    remedy:
      'npm install @tensorflow/tfjs-node@4.22 (needs Node < 23 and a download at install; docs/tfjs-node.md has a way without it)',
    load: async () => {
      const version = await loadTensorflowNode('@tensorflow/tfjs-node');
      return eagerParts('tfjs-node', 'tensorflow', `@tensorflow/tfjs-node ${version}`, 'libtensorflow, CPU');
    },
  },
  {
    name: 'wasm',
    remedy: 'reinstall @palimpsest/tensor-core: its .wasm file is missing',
    pageRemedy:
      "serve tfjs-backend-wasm-simd.wasm of node_modules/@palimpsest/tensor-core/dist there, or name the folder that has it as 'assets'",
    load: async ({ assets }) =>
      eagerParts('wasm', 'wasm', `TensorFlow.js ${await prepareWasm(assets)}`, 'WebAssembly SIMD'),
  },
  {
    name: 'cpu',
    remedy: '',
    load: async () => eagerParts('cpu', 'cpu', `TensorFlow.js ${await prepareCpu()}`, 'JavaScript'),
  },
];

/** The names of all engines, best first. */
export const engineNames: readonly EngineName[] = KINDS.map(({ name }) => name);

const remedyOf = ({ remedy, pageRemedy = '' }: EngineKind) => (platform.fetchesAssets ? pageRemedy : remedy);

/** One line of a loader's failure. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.split('\n')[0]!;
}

async function tryLoad(kind: EngineKind, options: EngineOptions): Promise<EngineParts | EngineProbe> {
  try {
    return await kind.load(options);
  } catch (error) {
    return { name: kind.name, available: false, reason: reasonOf(error), remedy: remedyOf(kind) };
  }
}

let told = false;

/** Says once that the native runtime is missing, because everything still works, only slower. */
function tellOfMissing([best]: readonly EngineProbe[], instead: EngineName): void {
  if (told || best === undefined) return;
  told = true;
  platform.warn(
    `The fastest engine, '${best.name}', cannot be loaded (${best.reason}), so '${instead}' takes its place and everything takes longer; ${best.remedy} helps.`,
  );
}

/** Tries to load every engine and says which work here, why the others do not, and the command that helps. */
export async function probeEngines(options: EngineOptions = {}): Promise<EngineProbe[]> {
  const probes: EngineProbe[] = [];
  for (const kind of KINDS) {
    const loaded = await tryLoad(kind, options);
    if ('available' in loaded) probes.push(loaded);
    else probes.push({ name: kind.name, available: true, reason: `${loaded.runtime} on ${loaded.device}` });
  }
  return probes;
}

/**
 * Makes an engine.
 * @param name an engine's name, or `auto` for the best one that loads here; `describe()` says which and why.
 * @throws EngineError for an unknown name, or when the engine cannot be loaded, with the command that helps; InputError for
 * an option that is no number of bytes.
 */
export async function createEngine(
  name: EngineName | 'auto' = 'auto',
  options: EngineOptions = {},
): Promise<Engine> {
  if (name !== 'auto' && !engineNames.includes(name)) {
    throw new EngineError(`There is no engine '${name}'; choose auto, ${engineNames.join(', ')}.`);
  }
  graphLimits(options); // Here, because a bad option is no reason why an engine cannot be loaded.
  const unavailable: EngineProbe[] = [];
  for (const kind of KINDS) {
    if (name !== 'auto' && kind.name !== name) continue;
    const loaded = await tryLoad(kind, options);
    if ('available' in loaded) {
      unavailable.push(loaded);
      continue;
    }
    if (name === 'auto') tellOfMissing(unavailable, kind.name);
    const { make, note, ...parts } = loaded;
    const asked = name === 'auto' ? 'the best engine that loads here' : 'asked for by name';
    const reason = note === undefined ? asked : `${asked}; ${note}`;
    return make({ name: kind.name, ...parts, reason, unavailable });
  }
  const [failure] = unavailable;
  throw new EngineError(
    `The engine '${name}' cannot be loaded here (${failure?.reason}); ${failure?.remedy || "use 'auto'"}.`,
  );
}
