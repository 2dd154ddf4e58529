// node bench/decode.mjs: a token by the decoder against computing the open segment anew and against one product that reads as many
// numbers, and a token after 1 to 64 segments. ROUNDS, SEGMENT and THREADS in the environment.
import { DecodingKernels } from '../../base/dist/index.js';
import { createDecoder } from '../../lm/dist/index.js';
import { createEngine, Rng } from '../../tensor-core/dist/index.js';
import { createOmModel, OmLLM } from '../dist/index.js';
import { median, randomIds, timed } from './common.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 3);
const segmentLen = Number(process.env.SEGMENT ?? 512);
const engine = await createEngine('onnx', { threads: Number(process.env.THREADS ?? 1) });

/** A product with a matrix of so many numbers, 1024 columns wide. */
function reading(count) {
  const kernels = new DecodingKernels();
  const [rows, columns] = [4 * Math.ceil(count / 4096), 1024];
  const [x, y, bias] = [columns, rows, rows].map((width) => kernels.allocate(width));
  const matrix = kernels.allocate(rows * columns);
  // Memory that was never written is one page of zeros.
  kernels.numbers.fill(1e-3, matrix);
  return async () => kernels.multiply(y, matrix, x, bias, rows, columns);
}

/** Numbers that a token reads: the weights that it meets, and the keys and values of `columns` rows. */
function numbersOfToken({ options, columns }) {
  const { numLayers: L, dimInput: d, dimHidden: h, dimsKey, dimsValue, numHeads: H, initNgrams } = options;
  const projections = dimsKey.map(
    (key, p) => H * (p === 0 ? d : dimsValue[p - 1]) * (2 * key + dimsValue[p]),
  );
  const keys = dimsKey.map((key, p) => H * columns * (key + dimsValue[p]));
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const ngrams = initNgrams.map((k) => Math.floor(d / k) * (k + 1) * d);
  return (
    L * (sum(projections) + sum(keys) + H * dimsValue.at(-1) * d + 2 * d * h) +
    sum(ngrams) +
    options.vocabSize * d
  );
}

async function againstRecomputing() {
  const options = {
    vocabSize: 256,
    numLayers: 8,
    dimInput: 256,
    dimHidden: 1024,
    dimsKey: [64, 32, 16],
    dimsValue: [64, 32, 16],
    numHeads: 8,
    segmentLen,
    stateLen: 16,
    initNgrams: [2, 3],
  };
  const model = createOmModel(options);
  const params = model.init(Rng.fromSeed(1));
  // A token in the middle of a segment stands for all: the cost of computing anew grows from one row to all of them.
  const half = segmentLen / 2;
  const recompute = engine.compile((p, x) => new OmLLM(options).forward(p, x, [], true).logits);
  const [held, ids] = [engine.put(params), engine.put(randomIds(1, half + 2, 256))];
  await timed(() => recompute(held, ids));
  const decoder = await createDecoder(engine, model, params);
  await decoder.read(randomIds(1, half - 50, 256).data);
  const [anew, cached, read] = [[], [], []];
  const readAsMany = reading(numbersOfToken({ options, columns: half + options.stateLen }));
  await timed(readAsMany);
  for (let round = 0; round < ROUNDS; round++) {
    anew.push(await timed(() => recompute(held, ids)));
    const { wall, cpu } = await timed(async () => void (await decoder.read(randomIds(1, 20, 256).data)));
    cached.push({ wall: wall / 20, cpu: cpu / 20 });
    read.push(await timed(readAsMany));
  }
  for (const clock of ['wall', 'cpu']) {
    const [a, c, r] = [anew, cached, read].map((times) => median(times.map((time) => time[clock])));
    console.log(
      `${clock}: anew ${a.toFixed(1)} ms, cached ${c.toFixed(3)} ms: ${(a / c).toFixed(0)} times, ${(c / r).toFixed(2)} times reading as many numbers (${r.toFixed(3)} ms), middle of a segment of ${segmentLen}`,
    );
  }
  await decoder.dispose();
  await recompute.dispose();
}

async function overSegments() {
  const options = {
    vocabSize: 256,
    numLayers: 4,
    dimInput: 128,
    dimHidden: 512,
    dimsKey: [32, 16],
    dimsValue: [32, 16],
    numHeads: 4,
    segmentLen: 32,
    stateLen: 16,
    initNgrams: [2, 3],
  };
  const model = createOmModel(options);
  const decoder = await createDecoder(engine, model, model.init(Rng.fromSeed(2)));
  const perToken = {};
  for (let segment = 1; segment <= 64; segment++) {
    const { cpu } = await timed(async () => void (await decoder.read(randomIds(1, 32, 256).data)));
    perToken[segment] = { cpu: cpu / 32, bytes: decoder.stateBytes };
  }
  const typical = (from, to) =>
    median(Array.from({ length: to - from + 1 }, (_, i) => perToken[from + i].cpu));
  console.log(
    `CPU ms per token: segments 9 to 16: ${typical(9, 16).toFixed(3)}, 57 to 64: ${typical(57, 64).toFixed(3)}, ratio ${(typical(57, 64) / typical(9, 16)).toFixed(2)}`,
  );
  console.log(`bytes of memory after 1 and 64 segments: ${perToken[1].bytes}, ${perToken[64].bytes}`);
  await decoder.dispose();
}

await overSegments();
await againstRecomputing();
await engine.dispose();
