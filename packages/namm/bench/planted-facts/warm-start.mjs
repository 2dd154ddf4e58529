// A first vector by descent: the cache is weighted instead of emptied, and every entry has its price.
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createTransformer } from '@palimpsest/backbone';
import { GeneratedExamples } from '@palimpsest/lm';
import {
  InProcessRunner,
  loadPolicy,
  parameterCount,
  populationModel,
  recalibrate,
  savePolicy,
  warmStart,
} from '../../dist/index.js';
import { rightAnswers } from './right-answers.mjs';
import { CONTEXT, drawFrom, folderOf, openBase, policyConfig, taskOf } from './setup.mjs';

/** Steps, highest rate, nats that an entry costs, and the share of characters that are no answers and count all the same. */
const STAGES = [
  { steps: 45, learningRate: 1e-2, price: 3e-4, textShare: 0.05 },
  { steps: 50, learningRate: 2e-2, price: 1e-3, textShare: 0.02 },
  // A sharper weighting is nearer to what an update does. Right answers on texts kept for choosing rose from 79 % to 89 % in 120 steps
  // and to 96 % in 620, over two of three beginnings; 300 more at 0.15 changed nothing.
  { steps: 620, learningRate: 2e-2, price: 1e-3, textShare: 0.02, temperature: 0.25 },
];
/** Beginnings of a search, and the stages after which the best of them alone goes on: some end where no descent leads out. */
const [BEGINNINGS, TRIED] = [4, 2];
/** Texts of a step, and how sharp the weighting is where a stage does not say. */
const [BATCH, TEMPERATURE] = [2, 0.5];
/** Texts by which the features are normalised. */
const CALIBRATION = 4;

export const stagePath = (folder, stage) => join(folder, `stage-${stage}.safetensors`);
const beginningOf = (folder, beginning) => join(folder, `beginning-${beginning}`);

export const startFile = (out, search) => stagePath(folderOf(out, 'start', search), STAGES.length);

/** One search each, over the one transformer: several beginnings of a descent, of which the best is continued. */
export async function warmStartPolicies({ searches, ...context }) {
  for (const search of searches) {
    const folder = folderOf(context.out, 'start', search);
    if (!(await begin({ ...context, search, folder }))) return false;
    if (!(await warmStartPolicy({ ...context, search, folder }))) return false;
  }
  return true;
}

/** Puts the first stages of the best beginning into the folder of the search. */
async function begin({ search, folder, ...context }) {
  if (existsSync(stagePath(folder, TRIED))) return true;
  const right = [];
  for (let beginning = 0; beginning < BEGINNINGS; beginning++) {
    const own = beginningOf(folder, beginning);
    const seed = search + 100 * beginning;
    if (!(await warmStartPolicy({ ...context, search: seed, folder: own, stages: TRIED }))) return false;
    right.push(await rightAnswers(context, stagePath(own, TRIED)));
    context.report(
      `search ${search}, beginning ${beginning}: ${(100 * right.at(-1)).toFixed(1)} % on the validation part`,
    );
  }
  const best = right.indexOf(Math.max(...right));
  for (let stage = 1; stage <= TRIED; stage++) {
    copyFileSync(stagePath(beginningOf(folder, best), stage), stagePath(folder, stage));
  }
  return true;
}

/**
 * A descent, stage by stage, in a folder of its own: what is there is not searched again.
 * @param stages how many of them
 */
export async function warmStartPolicy({ engine, text, out, seed, search, report, signal, ...of }) {
  const {
    folder = folderOf(out, 'start', search),
    stages = STAGES.length,
    config: first = policyConfig(),
  } = of;
  const { model, params } = await openBase(out, seed);
  const whole = createTransformer({ ...model.options, evictable: true, capacity: CONTEXT });
  const task = taskOf('plantedFacts', text, undefined, { size: 2 ** 20 });
  mkdirSync(folder, { recursive: true });
  let policy;
  for (const [stage, { steps, learningRate, price, textShare, temperature = TEMPERATURE }] of STAGES.slice(
    0,
    stages,
  ).entries()) {
    const path = stagePath(folder, stage + 1);
    if (existsSync(path)) {
      policy = await loadPolicy(path);
      continue;
    }
    const { config, statistics, parameters } =
      policy ?? (await unlearned({ engine, model, params, task, config: first }));
    const source = new GeneratedExamples([drawFrom(task, text.tokenizer, textShare)], {
      name: 'planted facts',
      ...{ batch: BATCH, time: CONTEXT - 1, seed: search + 1000 + stage },
    });
    const settings = { steps, learningRate, seed: search, warmupSteps: 5, telemetry: false };
    const events = warmStart({
      ...{ engine, model: whole, params, source, config, statistics, price, settings, signal },
      ...{ temperature, start: policy && parameters },
    });
    for await (const event of events) {
      if (event.type === 'step' && event.step % 5 === 0) {
        const kept = (event.auxiliaryLoss / price).toFixed(0);
        report(
          `warm start, step ${event.step} of ${steps}: ${event.loss.toFixed(3)} nats, ${kept} tokens per head`,
        );
      }
      if (event.type === 'interrupted') return false;
      if (event.type !== 'end') continue;
      policy = { config, parameters: event.params.policy.data, statistics };
      await savePolicy(path, policy);
    }
  }
  return true;
}

/** A policy that keeps everything, with the statistics of the features under it. */
async function unlearned({ engine, model, params, task, config }) {
  const runner = new InProcessRunner(engine, populationModel(model, params, config, CALIBRATION));
  const texts = Array.from({ length: CALIBRATION }, (_, index) => task.sample('train', index).trial.prompt);
  try {
    return await recalibrate({ config, parameters: new Float32Array(parameterCount(config)) }, runner, texts);
  } finally {
    await runner.dispose();
  }
}
