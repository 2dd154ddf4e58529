// What all steps of the experiment share: the text, the tokenizer, the tasks, and where things lie.
import { join } from 'node:path';
import { createTransformer } from '@palimpsest/backbone';
import { CharacterTokenizer, corpusText, IGNORED_TARGET, loadCheckpoint, loadCorpus } from '@palimpsest/lm';
import { evolutionConfig, FACT_CHARACTERS, writtenTask } from '../../dist/index.js';

/** Characters that a text has in all: prompt, and the questions and answers behind it. */
export const CONTEXT = 1024;
export const MODEL = {
  ...{ context: CONTEXT, layers: 2, modelWidth: 64, heads: 4 },
  ...{ norm: 'rms', activation: 'swiglu', positions: 'rotary' },
};
export const SCHEDULE = { updateInterval: 128, maxTokensPerForward: 128 };
/** Tokens per head that a policy keeps while it is searched for: an eighth of the context. */
export const ALIGNED = CONTEXT / 8;
export const FACT_TASKS = ['plantedFacts', 'factsFirst', 'changedFacts'];
/** What the policy is evolved for. */
export const EVOLVED_FOR = ['plantedFacts', 'characterLm'];
/** What policies are judged on: a task of these, on other texts, and one that no policy was evolved for. */
export const JUDGED = ['plantedFacts', 'changedFacts'];

/** Text that facts are planted in: a file, or stories that are written here. */
export function openText(path) {
  const background = corpusText(loadCorpus(path ?? 'stories'));
  return { background, tokenizer: CharacterTokenizer.fromText(background + FACT_CHARACTERS) };
}

/** @param total characters of prompt and answer */
export function taskOf(name, { background, tokenizer }, total = CONTEXT, options = {}) {
  const probe = (length) => writtenTask(name, { background, tokenizer, length, ...options });
  if (name === 'characterLm') return probe(total - 32);
  // Answers of equally long texts are equally long.
  const answer = probe(total).sample('train', 0).trial.target.length;
  return probe(total - answer);
}

/** Where a step keeps its files, by the seed of the transformer or of the search. */
export const folderOf = (out, step, seed) => join(out, `${step}-${seed}`);
export const baseFolder = (out, seed) => join(folderOf(out, 'base', seed), 'last');
export const policyFile = (out, search) => join(folderOf(out, 'policy', search), 'best.safetensors');

export async function openBase(out, seed) {
  const { model, params, tokenizer } = await loadCheckpoint(baseFolder(out, seed), {
    transformer: (config) => createTransformer(config),
  });
  return { model, params, tokenizer };
}

/** Statistics of the features are estimated before the warm start and stay. */
export const policyConfig = (options = {}) =>
  evolutionConfig({ ...SCHEDULE, normalise: { freezeAfter: 0 }, ...options });

/**
 * What each character is: of the text, a part of a fact, a part of a question, or an answer.
 */
export function kindsOf(text) {
  const kinds = new Array(text.length).fill('text');
  for (const { index, 0: found } of text.matchAll(/ (<.>|#..)/gu)) {
    kinds.fill(found[1] === '<' ? 'fact' : 'question', index, index + found.length);
    if (found[1] === '#') kinds[index + 3] = 'answer';
  }
  return kinds;
}

/** Where the questions at the end begin. */
export const endOf = (text) => / (#.. )*#..$/u.exec(text).index;

/** Samples of a task in training: more than are ever drawn. */
export const SAMPLES = 2 ** 30;

/** An example of a task as training reads it. Answers are few beside the text, so only a share of that is learned each time. */
export const drawFrom = (task, tokenizer, textShare) => (rng) => {
  const { prompt, target } = task.sample('train', rng.int(task.size)).trial;
  const ids = Int32Array.of(...prompt, ...target);
  const targets = ids.slice(1);
  const kinds = kindsOf(tokenizer.decode(ids));
  for (let at = 0; at < targets.length; at++) {
    if (kinds[at + 1] !== 'answer' && rng.uniform() >= textShare) targets[at] = IGNORED_TARGET;
  }
  return { inputs: ids.slice(0, -1), targets };
};
