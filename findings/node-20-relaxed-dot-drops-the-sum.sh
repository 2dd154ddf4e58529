#!/usr/bin/env bash
# Node.js 20.20.2 (V8 11.3, npm package node 20.20.2) with --experimental-wasm-relaxed-simd, x64: the WebAssembly instruction
# i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, c), the heart of matrices of 8 and 4 bits, may give twice the dot product and forget c when
# c is not used again, as if the result took the register of c first. What the proposal leaves open is a second operand above 127 only;
# here all are small. A test by WebAssembly.validate, as feature detectors make, says yes. Node.js 24 (V8 13.6) has the finished instruction
# without a flag, and is right. Expected: f(-3, 5, 100) = 4 * -3 * 5 + 100 = 40. Observed in 20.20.2: -120.
# A program that sums bytes so must ask for one product whose answer it knows before it trusts the engine.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/node-20-relaxed-dot-drops-the-sum.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
for version in 20.20.2 24.11.1; do
  mkdir "v$version"; (cd "v$version" && npm init -y && npm install --no-audit --no-fund "node@$version") >/dev/null 2>&1 \
    && [ -x "v$version/node_modules/node/bin/node" ] || { echo "not tried: Node.js $version cannot be installed" >&2; exit 2; }
done
cat > run.mjs <<'JS'
// (func (export "f") (param $a i32) (param $b i32) (param $c i32) (result i32): lane 0 of the dot product of splats, added to a splat of $c
const code = [
  0x20, 0, 0xfd, 15, 0x20, 1, 0xfd, 15, 0x20, 2, 0xfd, 17, // i8x16.splat, i8x16.splat, i32x4.splat
  0xfd, 0x93, 2, // i32x4.relaxed_dot_i8x16_i7x16_add_s
  0xfd, 27, 0, 0x0b, // i32x4.extract_lane 0
];
const bytes = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  1, 8, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f,
  3, 2, 1, 0,
  7, 5, 1, 1, 0x66, 0, 0,
  10, code.length + 3, 1, code.length + 1, 0, ...code,
]);
const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
const cases = [[-3, 5, 100], [2, 3, 7], [127, 15, 0]];
const right = cases.map(([a, b, c]) => 4 * a * b + c);
const got = cases.map((one) => f(...one));
console.log(`Node.js ${process.versions.node}, V8 ${process.versions.v8}: validates ${WebAssembly.validate(bytes)}; ${got.join(', ')}, exactly ${right.join(', ')}`);
const doubled = got.every((value, i) => value === 2 * (right[i] - cases[i][2]));
process.exit(process.argv[2] === 'doubled' ? Number(!doubled) : Number(got.join() !== right.join()));
JS
v20.20.2/node_modules/node/bin/node --experimental-wasm-relaxed-simd run.mjs doubled
v24.11.1/node_modules/node/bin/node run.mjs right
