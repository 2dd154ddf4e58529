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
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

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
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly?: Wasm };
  if (!wasm) return undefined;
  if (!compiled.has(base64)) compiled.set(base64, compile(wasm, base64));
  const module = compiled.get(base64);
  return module && (() => new wasm.Instance(module).exports as Exports);
}

function compile(wasm: Wasm, base64: string): object | undefined {
  const binary = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  try {
    return wasm.validate(binary) ? new wasm.Module(binary) : undefined;
  } catch {
    return undefined;
  }
}
