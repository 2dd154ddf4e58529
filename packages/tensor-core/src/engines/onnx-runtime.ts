import { nodeModule } from '@palimpsest/base';
import type { InferenceSession, Tensor, TensorConstructor } from 'onnxruntime-common';
import { platform } from '#platform';
import type { ExternalTensor } from '../onnx/constants.js';
import type { WebRuntime } from '../platform/platform.js';
import type { GraphBits } from '../trace/graph.js';

/** A graph as the runtime is given it. */
export interface SessionModel {
  readonly bytes: Uint8Array;
  readonly external: readonly ExternalTensor[];
  /** Files that the graph refers to. */
  readonly files?: SessionFiles | undefined;
}

export interface SessionFiles {
  /** Folder that the places of constants are relative to. */
  readonly folder: string;
  /** What multiplies with the constants rearranges them when the session is opened, because it is slow without. */
  readonly isPacked: boolean;
}

export interface SessionChoices {
  /** The graph's work is less than waking further threads costs. */
  readonly isSmall: boolean;
  /** The session keeps the memory of its intermediate results between runs instead of sharing that of the process. */
  readonly ownsMemory: boolean;
  /**
   * Model file that shall be written beside what the session is opened for: the graph as it was optimised, its constants in a
   * second file, with what rearranged them.
   */
  readonly saveTo?: string | undefined;
}

/** The part of ONNX Runtime that both its Node and its web package offer. */
export interface OnnxRuntime {
  readonly library: string;
  readonly version: string;
  readonly provider: string;
  /** The provider, with what it computes on where that is known. */
  readonly device: string;
  /** Bits of the longest numbers that its nodes compute with. */
  readonly bits: GraphBits;
  readonly threads: number;
  /** What there is to say about it: why there are fewer threads than asked for, or another provider. */
  readonly note?: string | undefined;
  readonly Tensor: TensorConstructor;
  /** Whether the runtime computes in the caller's memory: it reads inputs where they lie and writes outputs where it is told. */
  readonly sharesMemory: boolean;
  /** Whether it maps files that a graph refers to. */
  readonly readsFiles: boolean;
  createSession(model: SessionModel, choices: SessionChoices): Promise<OnnxSession>;
  /** Gives the memory of a result back that is not the process's own. */
  dispose(tensor: OnnxTensor): void;
  /** Gives back what outlives the sessions. */
  close?(): Promise<void>;
}

/** A graph that the runtime has opened. */
export interface OnnxSession {
  /** @param fetches results by name, with the tensors to write them to, or null for new ones */
  run(
    feeds: Readonly<Record<string, OnnxTensor>>,
    fetches: Readonly<Record<string, OnnxTensor | null>>,
  ): Promise<Readonly<Record<string, OnnxTensor>>>;
  release(): Promise<void>;
}

export type OnnxTensor = Tensor;

export interface OnnxRuntimeOptions {
  readonly threads?: number | undefined;
  /** Execution provider of the runtime, such as `cpu`, `webgpu`, `cuda` or `wasm`. */
  readonly provider?: string;
  /** Folder of the WASM build, as an address. */
  readonly assets?: string | URL;
  /** A build of `onnxruntime-web`. */
  readonly onnxRuntime?: WebRuntime | Promise<WebRuntime>;
}

/** `PALIMPSEST_THREADS`, for several processes that share one machine. */
function threadsFromEnvironment(): number | undefined {
  const threads = Number(globalThis.process?.env.PALIMPSEST_THREADS);
  return Number.isInteger(threads) && threads > 0 ? threads : undefined;
}

/** The runtime copies the data while it opens the session. */
export const externalData = ({
  external,
}: SessionModel): Pick<InferenceSession.SessionOptions, 'externalData'> =>
  external.length === 0
    ? {}
    : { externalData: external.map(({ location, data }) => ({ path: location, data })) };

/** Settings of a session over constants in files. */
function fileSettings({ files }: SessionModel) {
  if (!files) return {};
  return {
    model_external_initializers_file_folder_path: files.folder,
    // Rearranged constants are copies. A product with one row is hardly slower without, one with many packs as it goes.
    disable_prepacking: files.isPacked ? '0' : '1',
  };
}

/** Settings of a session that writes its graph and the rearranged constants. */
function savingSettings(saveTo: string | undefined) {
  if (saveTo === undefined) return {};
  return {
    save_external_prepacked_constant_initializers: '1',
    optimized_model_external_initializers_file_name: `${nodeModule('node:path').basename(saveTo)}.data`,
    optimized_model_external_initializers_min_size_in_bytes: '1024',
  };
}

/** Loads `onnxruntime-node`. @throws EngineError when the package or its native library is missing. */
export async function loadNodeRuntime(options: OnnxRuntimeOptions): Promise<OnnxRuntime> {
  const ort = await platform.importNative();
  const threads = options.threads ?? threadsFromEnvironment() ?? platform.nativeThreads();
  const provider = options.provider ?? 'cpu';
  return {
    library: 'onnxruntime-node',
    version: ort.env.versions.node ?? ort.env.versions.common,
    provider,
    device: provider,
    bits: provider === 'webgpu' ? 32 : 64,
    threads,
    Tensor: ort.Tensor,
    sharesMemory: provider === 'cpu',
    dispose: (tensor) => tensor.dispose(),
    readsFiles: provider === 'cpu',
    createSession: (model, { isSmall, ownsMemory, saveTo }) =>
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
        extra: {
          session: { force_spinning_stop: '1', ...fileSettings(model), ...savingSettings(saveTo) },
          // Folding would widen constants of 16 bits in memory, all of them.
          ...(model.files && { optimization: { disable_specified_optimizers: 'ConstantFolding' } }),
        },
        ...(saveTo !== undefined && { optimizedModelFilePath: saveTo }),
      }),
  };
}
