/**
 * Peak memory of a training step, every measurement in a process of its own. `node bench/memory.mjs [engine]`
 * Reported: resident bytes per further token of the batch, which should not depend on d x m, beside the bytes that one
 * dense value memory of the reference takes.
 */
import { execFileSync } from 'node:child_process';
import * as lm from '../../lm/dist/index.js';
import * as core from '../../tensor-core/dist/index.js';
import { createOsamModel } from '../dist/index.js';
import { trainingSteps } from './training.mjs';

const [engineName = 'onnx', ...shape] = process.argv.slice(2);

async function child([batch, time, dModel, sketchDim]) {
  const engine = await core.createEngine(engineName);
  const model = createOsamModel({ vocabSize: 86, dModel, sketchDim, mode: 'parity' });
  const { run } = await trainingSteps({ lm, core }, engine, model, { batch, time });
  for (let i = 0; i < 3; i++) await run();
  console.log(process.resourceUsage().maxRSS * 1024);
}

function peak(...sizes) {
  return Number(execFileSync(process.execPath, [process.argv[1], engineName, ...sizes.map(String)]));
}

function report() {
  console.log('d / m           bytes per token   dense value memory of one text');
  for (const [dModel, sketchDim] of [
    [64, 2048],
    [64, 16384],
    [32, 8192],
  ]) {
    const [few, many] = [peak(8, 128, dModel, sketchDim), peak(8, 512, dModel, sketchDim)];
    const slope = (many - few) / (8 * (512 - 128));
    console.log(
      `${`${dModel} / ${sketchDim}`.padEnd(14)} ${slope.toFixed(0).padStart(16)} ${String(8 * dModel * sketchDim).padStart(20)}`,
    );
  }
}

if (shape.length > 0) await child(shape.map(Number));
else report();
