// Whether this Node.js multiplies bytes as the kernels for weights of 8 and 4 bits need it: `node scripts/byte-products.mjs`. Ends
// with 1 where it does not, after saying why.
import { readFileSync } from 'node:fs';

const source = readFileSync(new URL('../packages/backbone/src/kernels-wasm.ts', import.meta.url), 'utf8');
const base64 = [...source.matchAll(/^ {2}'(.+)',$/gm)].map(([, line]) => line).join('');
const binary = Buffer.from(base64, 'base64');

function obstacle() {
  if (!WebAssembly.validate(binary)) return 'has no relaxed SIMD; Node.js 22 has it, and 24 for 8 bits too';
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
  const { probe } = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } }).exports;
  return probe(127, 15) === 4 * 127 * 15 ? undefined : 'adds up products of bytes wrongly';
}

const reason = obstacle();
console.log(reason ? `Node.js ${process.versions.node} ${reason}` : 'products of bytes are exact');
process.exitCode = reason ? 1 : 0;
