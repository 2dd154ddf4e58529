// Compiles the folder assembly/ of a package, from its kernels.ts on, with the AssemblyScript compiler, which npx fetches (100 MB, needed by nobody who
// only uses or tests the packages), and writes the module into its src/kernels-wasm.ts: `node scripts/kernels.mjs base`. With
// `--check` it writes nothing and fails if that file is not what it would have written.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const name = process.argv[2];
const inPackage = (path) => fileURLToPath(new URL(`../packages/${name}/${path}`, import.meta.url));
const [source, target] = [inPackage('assembly/kernels.ts'), inPackage('src/kernels-wasm.ts')];
const folder = mkdtempSync(join(tmpdir(), 'kernels-'));
const binary = join(folder, 'kernels.wasm');
const compiler = ['--yes', '--package', 'assemblyscript@0.28.20', 'asc'];
const options = ['--outFile', binary, '--runtime', 'stub', '--enable', 'simd', '-O3', '--noAssert'];
/** What a package's kernels need beyond 128-bit vectors. */
const further = {
  // A memory that threads share; its first page belongs to them.
  backbone: [
    ...['--enable', 'relaxed-simd', '--enable', 'threads', '--importMemory', '--sharedMemory'],
    ...['--initialMemory', '1', '--maximumMemory', '65536', '--memoryBase', '4096'],
  ],
};
options.push(...(further[name] ?? []), '--disableWarning', '112');
execFileSync('npx', [...compiler, source, ...options], { cwd: folder, stdio: 'inherit' });
const lines = readFileSync(binary)
  .toString('base64')
  .match(/.{1,100}/g)
  .map((line) => `  '${line}',`);
rmSync(folder, { recursive: true });
const hash = createHash('sha256');
for (const file of readdirSync(inPackage('assembly')).sort())
  hash.update(readFileSync(inPackage(`assembly/${file}`)));
const text = `/**
 * A WebAssembly module in base64, written by scripts/kernels.mjs from the files of assembly/, whose SHA-256 is
 * ${hash.digest('hex')}.
 */
export const kernelsModule = [
${lines.join('\n')}
].join('');
`;
if (!process.argv.includes('--check')) writeFileSync(target, text);
else if (readFileSync(target, 'utf8') !== text) {
  console.error(`${target} is not what ${source} compiles to; run \`node scripts/kernels.mjs ${name}\`.`);
  process.exitCode = 1;
}
