/** Linear memory of a module; `buffer` is another one after `grow`. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** @param pages of 64 KiB */
  grow(pages: number): number;
}

/** The part of WebAssembly that is used here; the language's own types know it in browsers only. */
interface Wasm {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => WasmMemory;
  readonly Instance: new (module: object, imports?: object) => { readonly exports: unknown };
}

/** Kernels whose memory threads share, and what another thread needs to take part. */
export interface SharedWasmKernels<Exports> {
  readonly exports: Exports;
  /** Its buffer is a SharedArrayBuffer. */
  readonly memory: WasmMemory;
  readonly module: object;
}

/** All that addresses of 32 bits reach, in pages of 64 KiB. */
const MOST_PAGES = 65_536;

const compiled = new Map<string, object | undefined>();

/**
 * Makes a module of WebAssembly kernels ready for use; each text is compiled once.
 * @param base64 the module, as scripts/kernels.mjs writes it
 * @returns a function that gives a new instance, with its own memory; `undefined` where WebAssembly or its 128-bit vectors
 *   are missing, or compiling is forbidden (as by a page's Content-Security-Policy)
 */
export function wasmKernels<Exports extends { readonly memory: WasmMemory }>(
  base64: string,
): (() => Exports) | undefined {
  const ready = readyModule(base64);
  return ready && (() => new ready.wasm.Instance(ready.module).exports as Exports);
}

/**
 * The same for a module that imports a memory which threads share; its maximum is 4 GiB.
 * @returns a function that gives a new instance with a memory of one page; `undefined` also where an instruction is unknown
 */
export function sharedWasmKernels<Exports>(base64: string): (() => SharedWasmKernels<Exports>) | undefined {
  const ready = readyModule(base64);
  if (!ready) return undefined;
  const { wasm, module } = ready;
  return () => {
    const memory = new wasm.Memory({ initial: 1, maximum: MOST_PAGES, shared: true });
    return { exports: new wasm.Instance(module, { env: { memory } }).exports as Exports, memory, module };
  };
}

function readyModule(base64: string): { readonly wasm: Wasm; readonly module: object } | undefined {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly?: Wasm };
  if (!wasm) return undefined;
  if (!compiled.has(base64)) compiled.set(base64, compile(wasm, base64));
  const module = compiled.get(base64);
  return module && { wasm, module };
}

function compile(wasm: Wasm, base64: string): object | undefined {
  const binary = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return wasm.validate(binary) ? new wasm.Module(binary) : undefined;
  } catch {
    return undefined;
  }
}
