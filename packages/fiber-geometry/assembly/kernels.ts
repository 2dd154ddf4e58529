// What the compiled module exports; `node scripts/kernels.mjs fiber-geometry` compiles this folder into src/kernels-wasm.ts.

export { add, mostOf, place } from './links';
export { search } from './search';
export { allocate, configure, entrance, foundAt, listAt, rowAt, upperLevel, vectorAt } from './storage';
export { scan } from './vectors';
