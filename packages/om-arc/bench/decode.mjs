// node bench/decode.mjs: a token by the decoder, with weights of 32 and of 8 bits, against computing the open segment anew and against
// one product that reads as many numbers, and a token after 1 to 64 segments. ROUNDS, SEGMENT and THREADS in the environment.
import { DecodingKernels } from '../../base/dist/index.js';
import { createDecoder } from '../../lm/dist/index.js';
import { createEngine, Rng } from '../../tensor-core/dist/index.js';
import { createOmModel, OmLLM } from '../dist/index.js';
import { median, randomIds, timed } from './common.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 9);
const segmentLen = Number(process.env.SEGMENT ?? 512);
const engine = await createEngine('onnx', { threads: Number(process.env.THREADS ?? 1) });

/** A product with a matrix of so many numbers, 1024 columns wide. */
function reading(count) {
  const kernels = new DecodingKernels();
  const [rows, columns] = [4 * Math.ceil(count / 4096), 1024];
  const [x, y, bias] = [columns, rows, rows].map((width) => kernels.allocate(width));
  // Memory that was never written is one page of zeros.
  const matrix = kernels.storeMatrix(new Float32Array(rows * columns).fill(1e-3), rows, columns);
  return async () => kernels.multiply(y, matrix, x, bias);
}

/** Multiply-adds of a token, which are the numbers that it reads too: weights that it meets, keys and values of `columns` rows. */
function costOfToken({ options, columns }) {
  const { numLayers: L, dimInput: d, dimHidden: h, dimsKey, dimsValue, numHeads: H, initNgrams } = options;
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const projections =
    H * sum(dimsKey.map((key, p) => (p === 0 ? d : dimsValue[p - 1]) * (2 * key + dimsValue[p])));
  const widths = sum(dimsKey) + sum(dimsValue);
  const rest = H * dimsValue.at(-1) * d + 2 * d * h;
  const outside = sum(initNgrams.map((k) => Math.floor(d / k) * (k + 1) * d)) + options.vocabSize * d;
  return L * (projections + H * columns * widths + rest) + outside;
}

/** Multiply-adds of reading a segment's first `rows` anew: read and token rows by their triangle, the head for one row. */
function costAnew({ options, rows }) {
  const { vocabSize, dimInput, stateLen } = options;
  const ofRow = (columns) => costOfToken({ options, columns }) - vocabSize * dimInput;
  return rows * ofRow(stateLen + (rows + 1) / 2) + vocabSize * dimInput;
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
  // Constant weights are packed once by the engine: the fastest form there is here.
  const recompute = engine.compile((p, x) => new OmLLM(options).forward(p, x, [], true).logits, {
    freeze: [0],
  });
  const [held, ids] = [engine.put(params), engine.put(randomIds(1, half + 2, 256))];
  await timed(() => recompute(held, ids));
  const forms = {};
  for (const bits of [32, 8]) {
    forms[bits] = { decoder: await createDecoder(engine, model, params, { bits }), times: [] };
    await forms[bits].decoder.read(randomIds(1, half - 10 * ROUNDS, 256).data);
  }
  const [anew, read] = [[], []];
  const readAsMany = reading(costOfToken({ options, columns: half + options.stateLen }));
  await timed(readAsMany);
  for (let round = 0; round < ROUNDS; round++) {
    anew.push(await timed(() => recompute(held, ids)));
    for (const { decoder, times } of Object.values(forms)) {
      const { wall, cpu } = await timed(async () => void (await decoder.read(randomIds(1, 20, 256).data)));
      times.push({ wall: wall / 20, cpu: cpu / 20 });
    }
    read.push(await timed(readAsMany));
  }
  const arithmetic =
    costAnew({ options, rows: half }) / costOfToken({ options, columns: half + options.stateLen });
  console.log(
    `middle of a segment of ${segmentLen}; by the multiply-adds alone ${arithmetic.toFixed(0)} times`,
  );
  for (const clock of ['wall', 'cpu']) {
    const typical = (times) => median(times.map((time) => time[clock]));
    const [a, r] = [typical(anew), typical(read)];
    for (const [bits, { times }] of Object.entries(forms)) {
      const t = typical(times);
      console.log(
        `${clock}: anew ${a.toFixed(1)} ms, cached with ${bits} bits ${t.toFixed(3)} ms: ${(a / t).toFixed(0)} times, ${(t / r).toFixed(2)} times reading as many numbers of 32 bits (${r.toFixed(3)} ms)`,
      );
    }
  }
  for (const { decoder } of Object.values(forms)) await decoder.dispose();
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
  // Until every function is optimised.
  await decoder.read(randomIds(1, 64 * 32, 256).data);
  await decoder.reset();
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
