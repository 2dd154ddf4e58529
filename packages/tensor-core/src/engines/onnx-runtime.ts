import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';
import type { ExternalTensor } from '../onnx/constants.js';

/** A graph as the runtime is given it. */
export interface SessionModel {
  readonly bytes: Uint8Array;
  readonly external: readonly ExternalTensor[];
}

export interface SessionChoices {
  /** The graph's work is less than waking further threads costs. */
  readonly isSmall: boolean;
  /** The session keeps the memory of its intermediate results between runs instead of sharing that of the process. */
  readonly ownsMemory: boolean;
}

/** The part of ONNX Runtime that both its Node and its web package offer. */
export interface OnnxRuntime {
  readonly library: string;
  readonly version: string;
  readonly provider: string;
  readonly threads: number;
  readonly Tensor: TensorConstructor;
  /** Whether the runtime computes in the caller's memory: it reads inputs where they lie and writes outputs where it is told. */
  readonly sharesMemory: boolean;
  createSession(model: SessionModel, choices: SessionChoices): Promise<InferenceSession>;
}

export type OnnxTensor = Tensor;

export interface OnnxRuntimeOptions {
  readonly threads?: number | undefined;
  /** Execution provider of the runtime, such as `cpu`, `webgpu`, `cuda` or `wasm`. */
  readonly provider?: string;
}

/** `PALIMPSEST_THREADS`, for several processes that share one machine. */
function threadsFromEnvironment(): number | undefined {
  const threads = Number(globalThis.process?.env.PALIMPSEST_THREADS);
  return Number.isInteger(threads) && threads > 0 ? threads : undefined;
}

/** The runtime copies the data while it opens the session. */
const externalData = ({ external }: SessionModel): Pick<InferenceSession.SessionOptions, 'externalData'> =>
  external.length === 0
    ? {}
    : { externalData: external.map(({ location, data }) => ({ path: location, data })) };

/** Loads `onnxruntime-node`. @throws when the package or its native library is missing. */
export async function loadNodeRuntime(options: OnnxRuntimeOptions): Promise<OnnxRuntime> {
  const module = await import('onnxruntime-node');
  const ort = 'default' in module ? (module.default as typeof module) : module;
  const { availableParallelism } = await import('node:os');
  const threads = options.threads ?? threadsFromEnvironment() ?? availableParallelism();
  const provider = options.provider ?? 'cpu';
  return {
    library: 'onnxruntime-node',
    version: ort.env.versions.node ?? ort.env.versions.common,
    provider,
    threads,
    Tensor: ort.Tensor,
    sharesMemory: provider === 'cpu',
    createSession: (model, { isSmall, ownsMemory }) =>
      ort.InferenceSession.create(model.bytes, {
        ...externalData(model),
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: isSmall ? 1 : threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
        enableCpuMemArena: ownsMemory,
        // The runtime's plan of all results costs nearly as much memory as the results and saves no time.
        enableMemPattern: false,
        // Every graph has threads of its own; those of an idle graph must not spin against those of the running one.
        extra: { session: { force_spinning_stop: '1' } },
      }),
  };
}

/** Loads `onnxruntime-web`, whose WASM build runs in Node and in browsers. */
export async function loadWebRuntime(options: OnnxRuntimeOptions): Promise<OnnxRuntime> {
  const ort = await import('onnxruntime-web');
  const threads = options.threads ?? 1;
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = 'error';
  const provider = options.provider ?? 'wasm';
  return {
    library: 'onnxruntime-web',
    version: ort.env.versions.web ?? ort.env.versions.common,
    provider,
    threads,
    Tensor: ort.Tensor,
    sharesMemory: false,
    createSession: (model, { ownsMemory }) =>
      ort.InferenceSession.create(model.bytes, {
        ...externalData(model),
        enableCpuMemArena: ownsMemory,
        enableMemPattern: false,
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      }),
  };
}
