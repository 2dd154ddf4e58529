import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';

/** The part of ONNX Runtime that both its Node and its web package offer. */
export interface OnnxRuntime {
  readonly library: string;
  readonly version: string;
  readonly provider: string;
  readonly threads: number;
  readonly Tensor: TensorConstructor;
  /** Whether outputs can be written into memory that the caller gives. */
  readonly preallocates: boolean;
  /** @param isSmall the graph's work is less than waking further threads costs */
  createSession(bytes: Uint8Array, isSmall: boolean): Promise<InferenceSession>;
}

export type OnnxTensor = Tensor;

export interface OnnxRuntimeOptions {
  readonly threads?: number;
  /** Execution provider of the runtime, such as `cpu`, `webgpu`, `cuda` or `wasm`. */
  readonly provider?: string;
}

/** `PALIMPSEST_THREADS`, for several processes that share one machine. */
function threadsFromEnvironment(): number | undefined {
  const threads = Number(globalThis.process?.env.PALIMPSEST_THREADS);
  return Number.isInteger(threads) && threads > 0 ? threads : undefined;
}

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
    preallocates: provider === 'cpu',
    createSession: (bytes, isSmall) =>
      ort.InferenceSession.create(bytes, {
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
        intraOpNumThreads: isSmall ? 1 : threads,
        interOpNumThreads: 1,
        logSeverityLevel: 3,
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
    preallocates: false,
    createSession: (bytes) =>
      ort.InferenceSession.create(bytes, {
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      }),
  };
}
