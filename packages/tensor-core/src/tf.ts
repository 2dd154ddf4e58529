/**
 * TensorFlow.js core with its gradients and the `cpu` and `wasm` backends, bundled once for the whole family.
 * Everybody else takes `tf` from here, so that there is one op vocabulary and one gradient tape.
 */
export * as tf from '../vendor/tfjs.mjs';
