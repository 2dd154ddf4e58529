// Rate and distortion of every coder on the four synthetic families, or on the vectors of a file.
//   node bench/rate-distortion.mjs [--quick] [--file vectors.safetensors|vectors.json [--tensor NAME]] [--out FOLDER]
// A JSON file is an array of equally long rows. A safetensors file may hold several arrays: --tensor picks one, and
// arrays of rank above 2 are flattened to rows. One fifth of the rows, every fifth, is held out.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import {
  clusteredVectors,
  coderSpecs,
  hashedSentences,
  matrix,
  matrixFromRows,
  powerLawVectors,
  rankEightVectors,
  rateDistortion,
  rateDistortionSvg,
  rateDistortionTable,
} from '../dist/index.js';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    file: { type: 'string' },
    tensor: { type: 'string' },
    out: { type: 'string' },
  },
});
const TEST_ROWS = options.quick ? 100 : 1000;

function sentences() {
  const packed = readFileSync(new URL('../test/fixtures/sentences.txt.gz', import.meta.url));
  const all = hashedSentences(gunzipSync(packed).toString('utf8').split('\n'));
  const rows = (from, to) => matrix(to - from, all.cols, all.data.slice(from * all.cols, to * all.cols));
  return { name: 'sentences, hashed tf-idf', train: rows(0, 4000), test: rows(4000, 4000 + TEST_ROWS) };
}

function readVectors(path) {
  const bytes = readFileSync(path);
  if (path.endsWith('.json')) return matrixFromRows(JSON.parse(bytes.toString('utf8')));
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + headerLength).toString('utf8'));
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  const name = options.tensor ?? names.find((key) => header[key].shape.length >= 2);
  if (name === undefined || header[name] === undefined) {
    throw new Error(`${path} has no such array; it holds ${names.join(', ')}: pick one with --tensor.`);
  }
  const { dtype, shape, data_offsets: offsets } = header[name];
  if (dtype !== 'F32') throw new Error(`${path}: array ${name} is ${dtype}; this script reads F32.`);
  const copy = Uint8Array.from(bytes.subarray(8 + headerLength + offsets[0], 8 + headerLength + offsets[1]));
  const cols = shape.at(-1);
  return matrix(copy.length / 4 / cols, cols, new Float32Array(copy.buffer));
}

function splitFile(path) {
  const all = readVectors(path);
  const pick = (held) => {
    const kept = Array.from({ length: all.rows }, (_, i) => i).filter((i) => (i % 5 === 0) === held);
    return matrixFromRows(kept.map((i) => all.data.subarray(i * all.cols, (i + 1) * all.cols)));
  };
  return { name: path, train: pick(false), test: pick(true) };
}

function specsFor(width) {
  const sizes = [8, 16, 32, 52];
  return [
    coderSpecs.sparse({ encoder: 'parity' }),
    coderSpecs.sparse({ encoder: 'refit' }),
    ...sizes.map((bytes) => coderSpecs.pcaInt8(bytes)),
    ...sizes.filter((bytes) => width % bytes === 0).map((bytes) => coderSpecs.productQuantiser(bytes)),
    ...sizes.map((bytes) => coderSpecs.transform(bytes)),
    ...sizes.map((bytes) => coderSpecs.trellis(bytes)),
  ];
}

const synthetic = { testRows: TEST_ROWS };
const sets =
  options.file !== undefined
    ? [() => splitFile(options.file)]
    : [
        () => rankEightVectors(synthetic),
        () => powerLawVectors(synthetic),
        () => clusteredVectors(synthetic),
        sentences,
      ];
for (const make of sets) {
  const { name, train, test } = make();
  const start = performance.now();
  const rows = rateDistortion(train, test, specsFor(train.cols));
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  console.log(
    `\n## ${name}: ${train.rows} rows to learn from, ${test.rows} held out, width ${train.cols} (${seconds} s)\n`,
  );
  console.log(rateDistortionTable(rows));
  const best = rows.filter((row) => row.bytesPerVec === 52).sort((a, b) => a.median - b.median)[0];
  const reference = rows[0].median;
  console.log(
    `\nbest at 52 bytes: ${best.coder}, ${(reference / best.median).toFixed(1)}x below the reference record`,
  );
  if (best.median > 0.15)
    console.log('no coder reaches the reconstruction tolerance of 0.15 in 52 bytes here');
  if (options.out !== undefined) {
    mkdirSync(options.out, { recursive: true });
    const file = name
      .replace(/[^a-z0-9]+/gi, '-')
      .replace(/-$/, '')
      .toLowerCase();
    writeFileSync(join(options.out, `${file}.svg`), rateDistortionSvg(rows, name));
  }
}
