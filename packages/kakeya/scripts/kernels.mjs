// Compiles assembly/kernels.ts with the AssemblyScript compiler, which npx fetches (100 MB, needed by nobody who only uses or
// tests the package), and writes the module into src/kernels-wasm.ts: `node scripts/kernels.mjs`. With `--check` it writes nothing
// and fails if that file is not what it would have written.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../assembly/kernels.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'kakeya-kernels-'));
const binary = join(folder, 'kernels.wasm');
const compiler = ['--yes', '--package', 'assemblyscript@0.28.20', 'asc'];
const options = ['--outFile', binary, '--runtime', 'stub', '--enable', 'simd', '-O3', '--noAssert'];
execFileSync('npx', [...compiler, source, ...options], { cwd: folder, stdio: 'inherit' });
const lines = readFileSync(binary)
  .toString('base64')
  .match(/.{1,100}/g)
  .map((line) => `  '${line}',`);
rmSync(folder, { recursive: true });
const target = new URL('../src/kernels-wasm.ts', import.meta.url);
const text = `/**
 * A WebAssembly module in base64, written by scripts/kernels.mjs from assembly/kernels.ts, whose SHA-256 is
 * ${createHash('sha256').update(readFileSync(source)).digest('hex')}.
 */
export const kernelsModule = [
${lines.join('\n')}
].join('');
`;
if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (readFileSync(target, 'utf8') !== text) {
  console.error(
    'src/kernels-wasm.ts is not what assembly/kernels.ts compiles to; run `node scripts/kernels.mjs`.',
  );
  process.exitCode = 1;
}
