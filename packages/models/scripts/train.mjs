// Trains the models of this package again, after a build of the repository:
//   node scripts/train.mjs tinyshakespeare.txt [names]
// Character models are one call of `palimpsest train` each; models of facts learn from texts that are drawn anew for every step
// (facts-training.mjs). Runs are kept in runs/NAME, and one that is there already is taken as it is. What ships is its checkpoint
// without the optimiser, in 16 bits, with the card.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countParameters, loadCheckpoint, saveCheckpoint, stateBytes } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { factsTokenizer, trainFacts } from './facts-training.mjs';
import { figuresOf } from './figures.mjs';
import { recipes } from './recipes.mjs';

const own = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = (path) => new URL(`../../../${path}`, import.meta.url);
const { modelsOf, standardRegistry } = await import(built('packages/harness/dist/index.js').href);

const [corpusFile, ...asked] = process.argv.slice(2);
if (corpusFile === undefined) throw new Error('Give the file with the text of Tiny Shakespeare.');
const runs = join(own, 'runs');

const engine = await createEngine('onnx', { threads: 1 });
for (const name of asked.length > 0 ? asked : Object.keys(recipes)) {
  const recipe = recipes[name];
  const run = join(runs, name);
  if (!existsSync(run)) await (recipe.text === 'facts' ? learnFacts(recipe, run) : learnText(recipe, run));
  await ship(name, recipe, run);
}
await engine.dispose();
const shipped = readdirSync(join(own, 'checkpoints')).filter((name) => !name.endsWith('.json'));
writeFileSync(join(own, 'checkpoints', 'index.json'), `${JSON.stringify(shipped)}\n`);

function learnText(recipe, run) {
  const args = ['train', ...recipe.arguments, '--text-path', resolve(corpusFile), '--out', run, '--quiet'];
  execFileSync(process.execPath, [fileURLToPath(built('apps/cli/bin/palimpsest.js')), ...args], {
    stdio: 'inherit',
  });
}

async function learnFacts({ architecture, options, preset, longest }, run) {
  const tokenizer = factsTokenizer();
  const { create } = standardRegistry.architecture(architecture);
  const model = create(tokenizer.vocabSize, options, preset);
  const report = (time, { step, loss }) => step % 100 === 0 && console.log(time, step, loss.toFixed(3));
  const { params, steps } = await trainFacts(engine, model, tokenizer, { longest, report });
  await saveCheckpoint(join(run, 'latest'), { model, params, tokenizer, notes: { steps } });
}

async function ship(name, recipe, run) {
  const folder = join(own, 'checkpoints', name);
  const load = (from) => loadCheckpoint(from, modelsOf(standardRegistry));
  const whole = await load(join(run, 'latest'));
  const { model, params, tokenizer, training, notes: known } = whole;
  const notes = { ...(recipe.lineEnd && { lineEnd: recipe.lineEnd }) };
  await saveCheckpoint(folder, { model, params, tokenizer, notes, storage: 'F16' });
  const rounded = await load(folder);
  const corpus = readFileSync(corpusFile, 'utf8');
  const { figures, check } = await figuresOf(engine, whole, rounded, { text: recipe.text, corpus });
  const files = readdirSync(folder).map((file) => statSync(join(folder, file)).size);
  const { title, description, data, prompt, lineEnd } = recipe;
  const card = {
    ...{ name, title, description, mechanism: model.name },
    parameters: countParameters(params),
    bytes: files.reduce((sum, size) => sum + size, 0),
    memoryBytes: await stateBytes(model, 1, params),
    data,
    training: {
      command: recipe.arguments
        ? `palimpsest train ${recipe.arguments.join(' ')} --text-path tinyshakespeare.txt`
        : `node packages/models/scripts/train.mjs tinyshakespeare.txt ${name}`,
      steps: Number(training?.progress.step ?? known.steps),
    },
    figures: figures.map((figure) => ({
      ...figure,
      value: Number(figure.value.toFixed(4)),
      unrounded: Number(figure.unrounded.toFixed(4)),
    })),
    check,
    prompt,
    ...(lineEnd && { lineEnd }),
  };
  writeFileSync(join(folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`);
  console.log(name, card.bytes, figures, check);
}
