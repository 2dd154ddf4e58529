import { EngineError } from '@palimpsest/base';
import type { Platform } from './platform.js';

/** The part of WebGPU that is asked here. */
interface WebGpu {
  requestAdapter(): Promise<null | {
    readonly info?: { readonly vendor: string; readonly architecture: string };
  }>;
}

/** The part of a page's or worker's global scope that is asked here. */
interface PageScope {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number; readonly gpu?: WebGpu };
  readonly location?: { readonly href: string };
}
const scope: PageScope = Object(globalThis);

/** More threads wait for each other longer than they compute: the graphs of small models are short. */
const MOST_THREADS = 4;

const needsNode = async () => {
  throw new EngineError('it needs Node.js');
};

export const platform: Platform = {
  importNative: needsNode,
  importTensorflow: needsNode,

  // Not imported here: bundlers would ship 14 MB to pages that use another engine, and fail where it is not installed.
  async importWeb() {
    throw new EngineError("the page gave no 'onnxRuntime'");
  },

  nativeThreads: () => 1,

  webThreads(asked, hasAssets) {
    // Threads share their memory, which browsers allow to pages that are isolated from other origins alone.
    if (!scope.crossOriginIsolated)
      return { threads: 1, note: 'one thread, because the page is not cross-origin isolated' };
    // A thread begins with the runtime's script. Bundlers put that into the program, which would run once more in every thread.
    if (!hasAssets)
      return {
        threads: 1,
        note: "one thread, because 'assets' does not name a folder with the runtime's files",
      };
    const cores = scope.navigator?.hardwareConcurrency ?? 1;
    return { threads: asked ?? Math.min(MOST_THREADS, Math.max(1, Math.floor(cores / 2))) };
  },

  async findAdapter() {
    const { gpu } = scope.navigator ?? {};
    if (!gpu) return { missing: 'this page has no WebGPU' };
    const adapter = await gpu.requestAdapter();
    if (!adapter) return { missing: 'WebGPU found no graphics adapter' };
    const { vendor = '', architecture = '' } = adapter.info ?? {};
    return { name: [vendor, architecture].filter((part) => part !== '').join(' ') };
  },

  baseAddress: () => scope.location?.href ?? import.meta.url,
  fetchesAssets: true,
  warn: () => undefined,
  wasmBinary: () => new URL('./tfjs-backend-wasm-simd.wasm', import.meta.url).href,
  readFile: undefined,
};
