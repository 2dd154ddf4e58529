import { type WasmMemory, wasmKernels } from '@palimpsest/base';
import { kernelsModule } from '../kernels-wasm.js';

/** What assembly/kernels.ts exports; every instance has a memory of its own. Addresses are bytes. */
export interface IndexKernels {
  readonly memory: WasmMemory;
  /** Room at the end of the memory, right behind the last one when its length was a multiple of 16; 0 when there is none. */
  allocate(bytes: number): number;
  scan(rows: number, count: number, bytes: number, query: number, threshold: number, out: number): number;
  configure(dimension: number, degree: number): void;
  add(level: number, efConstruction: number): number;
  place(level: number): number;
  mostOf(layer: number): number;
  search(ef: number): number;
  vectorAt(): number;
  foundAt(): number;
  rowAt(slot: number): number;
  listAt(slot: number, layer: number): number;
  upperLevel(slot: number): number;
  entrance(): number;
}

/** Makes an instance; `undefined` where WebAssembly or its vectors are missing or forbidden. */
export const indexKernels = wasmKernels<IndexKernels>(kernelsModule);
