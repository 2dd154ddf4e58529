import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { EngineError } from '@palimpsest/base';
import type { NativeRuntime, Platform, TensorflowNode } from './platform.js';

/** Imports a package that the user may have left out. */
async function optional<T>(packageName: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const [message] = (error instanceof Error ? error.message : String(error)).split('\n');
    const isMissing = /Cannot find (package|module)/.test(message ?? '') && message?.includes(packageName);
    throw new EngineError(isMissing ? `${packageName} is not installed` : `${message}`);
  }
}

/** Where this file lies, built as an ES module or as CommonJS. */
const moduleAddress = () =>
  typeof __filename === 'string' ? pathToFileURL(__filename).href : import.meta.url;

export const platform: Platform = {
  async importNative() {
    const module = await optional('onnxruntime-node', () => import('onnxruntime-node'));
    return 'default' in module ? (module.default as NativeRuntime) : module;
  },

  importWeb: () => optional('onnxruntime-web', () => import('onnxruntime-web')),

  importTensorflow(packageName) {
    const legacy = util as { isNullOrUndefined?: (value: unknown) => boolean };
    // Removed in Node 23, still called by tfjs-node 4.22.
    legacy.isNullOrUndefined ??= (value) => value === null || value === undefined;
    // The library greets with lines about instructions of the processor.
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '1';
    return optional(packageName, () => import(packageName) as Promise<TensorflowNode>);
  },

  nativeThreads: availableParallelism,
  webThreads: (asked) => ({ threads: asked ?? 1 }),
  findAdapter: async () => ({ missing: "WebGPU needs a browser, or the engine 'onnx'" }),
  baseAddress: () => pathToFileURL(`${process.cwd()}/`).href,
  fetchesAssets: false,
  warn: (sentence) => process.emitWarning(sentence, { code: 'PALIMPSEST_ENGINE' }),
  wasmBinary: () => new URL('./tfjs-backend-wasm-simd.wasm', moduleAddress()).href,
  readFile: async (address) => new Uint8Array(await readFile(address)),
};
