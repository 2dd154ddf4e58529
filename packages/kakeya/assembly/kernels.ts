// What the compiled module exports; `node scripts/kernels.mjs kakeya` compiles this folder into src/kernels-wasm.ts.

export { centrePanels, multiplyAdd } from './products';
export { multiplyRows, reflectRows, rotateRows, subtractBoth } from './rows';
export { addLookUps, codeBits, extendTable, spread } from './scores';
export { extendPaths, nearestLevels, traceBack } from './trellis';
