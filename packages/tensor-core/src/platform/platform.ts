/** ONNX Runtime for Node.js. */
export type NativeRuntime = typeof import('onnxruntime-node');
/** The module `onnxruntime-web/wasm`, or another build of that package. */
export type WebRuntime = Pick<typeof import('onnxruntime-common'), 'env' | 'InferenceSession' | 'Tensor'>;

export interface TensorflowNode {
  readonly version?: Readonly<Record<string, string>>;
}

/** Its vendor and architecture, as far as the browser tells them; or why there is none. */
export type GraphicsAdapter = { readonly name: string } | { readonly missing: string };

/**
 * What differs between Node.js and browsers. `#platform` is `node.ts` for programs that ask for the condition `node` and
 * `browser.ts` for all others, so that a bundler for browsers meets no module of Node.js. Neither file imports
 * TensorFlow.js, because each is a file of its own in `dist`.
 */
export interface Platform {
  /** @throws EngineError where the package is missing or there is none. */
  importNative(): Promise<NativeRuntime>;
  /** @throws EngineError where the package is missing. */
  importWeb(): Promise<WebRuntime>;
  /** Imports `@tensorflow/tfjs-node` or its GPU twin. @throws EngineError where it is missing or there is none. */
  importTensorflow(packageName: string): Promise<TensorflowNode>;
  /** Threads of `onnx` when none are asked for. */
  nativeThreads(): number;
  /**
   * Threads that `onnx-web` may have, and why there are fewer than asked for.
   * @param asked undefined for as many as are good
   * @param hasAssets whether the runtime's files lie in a folder that is known
   */
  webThreads(
    asked: number | undefined,
    hasAssets: boolean,
  ): { readonly threads: number; readonly note?: string };
  /** The graphics adapter that WebGPU would compute on. */
  findAdapter(): Promise<GraphicsAdapter>;
  /** What relative addresses of files are relative to. */
  baseAddress(): string;
  /** Whether the files of a WASM build may be missing at run time, so that an engine is only there once it has started. */
  readonly fetchesAssets: boolean;
  /** Tells the user; a page has its own ways, and finds the same in an engine's description. */
  warn(sentence: string): void;
  /** Address of the WASM binary of TensorFlow.js. */
  wasmBinary(): string;
  /** Reads what `fetch` does not: files. */
  readonly readFile: ((address: URL) => Promise<Uint8Array<ArrayBuffer>>) | undefined;
}
