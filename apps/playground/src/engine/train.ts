import {
  CharacterTokenizer,
  ContiguousLanes,
  countParameters,
  stateBytes,
  train as trainModel,
} from '@palimpsest/lm';
import { WINDOW } from '../choices.js';
import { keepTrained, TRAINED } from './checkpoints.js';
import { breath, readyEngine } from './engine.js';
import { freshModel } from './mechanisms.js';
import type { OpenedModel, TrainNews, TrainRequest } from './protocol.js';

const BATCH = 8;
const SAMPLE_EVERY = 20;
const SAMPLE_TOKENS = 90;

/** Trains a fresh model on a text; it is kept for talk and inspection, also when it is stopped early. */
export async function train(
  request: TrainRequest,
  news: (news: TrainNews) => void,
  signal: AbortSignal,
): Promise<OpenedModel> {
  const { mechanism, text, steps, prompt, bytes } = request;
  const engine = await readyEngine();
  const tokenizer = CharacterTokenizer.fromText(text);
  const { model, learningRate } = await freshModel(mechanism, tokenizer.vocabSize, bytes);
  // A short text is read in fewer lanes.
  const ids = tokenizer.encode(text);
  const batch = Math.max(1, Math.min(BATCH, Math.floor(ids.length / (2 * WINDOW))));
  const source = new ContiguousLanes(ids, { batch, time: WINDOW });
  const known = [...prompt].filter((letter) => text.includes(letter)).join('');
  const settings = {
    ...{ steps, learningRate, warmupSteps: 10, sampleEvery: SAMPLE_EVERY, sampleTokens: SAMPLE_TOKENS },
    ...{ samplePrompt: known || text.slice(0, 1), sampleTemperature: 0.7, telemetry: false, seed: 1 },
  };
  const memoryBytes = await stateBytes(model);
  let parameters = 0;
  for await (const event of trainModel({ engine, model, source, tokenizer, settings, signal })) {
    if (event.type === 'start') {
      parameters = event.parameters;
      news({ type: 'start', parameters, memoryBytes, readers: batch });
    } else if (event.type === 'step') {
      news({ type: 'step', step: event.step, loss: event.loss });
      await breath();
    } else if (event.type === 'sample') {
      news({ type: 'sample', step: event.step, text: event.prompt + event.text });
    } else if (event.type === 'end' || event.type === 'interrupted') {
      keepTrained({ folder: TRAINED, model, params: event.params, tokenizer });
      parameters = countParameters(event.params);
      news({ type: 'end', step: event.step });
    }
  }
  return { title: TRAINED, parameters, memoryBytes };
}
