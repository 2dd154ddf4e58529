import { EngineError } from '@palimpsest/base';
import { platform } from '#platform';
import { encodeModel } from '../onnx/protobuf.js';
import { cast } from '../trace/emit.js';
import { GraphBuilder } from '../trace/graph.js';
import { assetFolder } from './asset-folder.js';
import { deviceSessions } from './device-sessions.js';
import {
  externalData,
  type OnnxRuntime,
  type OnnxRuntimeOptions,
  type OnnxSession,
  type SessionChoices,
  type SessionModel,
} from './onnx-runtime.js';

/** What `onnx-web` computes on. */
interface Provider {
  readonly name: string;
  readonly device: string;
  readonly note?: string;
}

/** WebGPU needs a graphics adapter, which a page may lack; everything else is there or fails. */
async function chooseProvider(asked = 'wasm'): Promise<Provider> {
  if (asked !== 'webgpu') return { name: asked, device: asked };
  const adapter = await platform.findAdapter();
  if ('missing' in adapter)
    return { name: 'wasm', device: 'wasm', note: `on WebAssembly, because ${adapter.missing}` };
  return { name: asked, device: adapter.name === '' ? asked : `${asked} (${adapter.name})` };
}

/**
 * Loads `onnxruntime-web`, whose WASM build runs in Node and in browsers.
 * @throws EngineError when the package is missing, or in browsers when its WASM build or the provider does not start.
 */
export async function loadWebRuntime(options: OnnxRuntimeOptions): Promise<OnnxRuntime> {
  const ort = await (options.onnxRuntime ?? platform.importWeb());
  const provider = await chooseProvider(options.provider);
  const { threads, note } = platform.webThreads(options.threads, options.assets !== undefined);
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  if (options.assets !== undefined) {
    ort.env.wasm.wasmPaths = assetFolder(options.assets);
  }
  const isGpu = provider.name === 'webgpu';
  const open = (model: SessionModel, { ownsMemory }: SessionChoices): Promise<OnnxSession> =>
    ort.InferenceSession.create(model.bytes, {
      ...externalData(model),
      enableCpuMemArena: ownsMemory,
      enableMemPattern: false,
      executionProviders: [provider.name],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Results stay where the next call reads them.
      ...(isGpu && { preferredOutputLocation: 'gpu-buffer' as const }),
    });
  const runtime: OnnxRuntime = {
    library: 'onnxruntime-web',
    version: ort.env.versions.web ?? ort.env.versions.common,
    provider: provider.name,
    device: provider.device,
    bits: isGpu ? 32 : 64,
    threads,
    note: [provider.note, note].filter((part) => part !== undefined).join('; ') || undefined,
    Tensor: ort.Tensor,
    sharesMemory: false,
    readsFiles: false,
    ...(isGpu ? deviceSessions(open) : { createSession: open, dispose: (tensor) => tensor.dispose() }),
  };
  return platform.fetchesAssets ? start(runtime) : runtime;
}

/**
 * Runs the smallest graph there is: only then is it known that the binary was found and that the provider is there. The
 * builds with WebGPU have no 64-bit floats on the processor either.
 */
async function start(runtime: OnnxRuntime): Promise<OnnxRuntime> {
  try {
    return await started(runtime);
  } catch (error) {
    const narrow = runtime.bits === 64 && (await started({ ...runtime, bits: 32 }).catch(() => undefined));
    if (narrow) return narrow;
    throw new EngineError(`it did not start: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Sends a number through the longest floats that the runtime computes with. */
async function started(runtime: OnnxRuntime): Promise<OnnxRuntime> {
  const graph = new GraphBuilder('start', runtime.bits);
  const value = graph.input([1], 'float32');
  const longest = runtime.bits === 64 ? cast(graph, cast(graph, value, 'float64'), 'float32') : value;
  const model = encodeModel('start', [{ name: 'in', value }], [{ name: 'out', value: longest }]);
  const session = await runtime.createSession(model, { isSmall: true, ownsMemory: false });
  const one = new runtime.Tensor('float32', new Float32Array(1), [1]);
  const { out } = await session.run({ in: one }, { out: null });
  runtime.dispose(out!);
  // The device of WebGPU, and every array on it, lasts as long as there is a session.
  if (runtime.provider === 'webgpu') return { ...runtime, close: () => session.release() };
  await session.release();
  return runtime;
}
