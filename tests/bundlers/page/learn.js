import { CharacterTokenizer, ContiguousLanes, generate, Session, train } from '@palimpsest/lm';
import { createOsamModel } from '@palimpsest/osam';
import { createEngine } from '@palimpsest/tensor-core';
import * as onnxRuntime from 'onnxruntime-web/wasm';

/** Trains a small OSAM and lets it write. */
export async function learn(engineName, options) {
  const text = 'the cat sat on the mat. '.repeat(50);
  const tokenizer = CharacterTokenizer.fromText(text);
  const model = createOsamModel({ vocabSize: tokenizer.vocabSize, dModel: 16, sketchDim: 32 });
  const runtime = engineName === 'onnx-web' ? { onnxRuntime } : {};
  const engine = await createEngine(engineName, { ...runtime, ...options });
  const source = new ContiguousLanes(tokenizer.encode(text), { batch: 4, time: 16 });
  const settings = { steps: 20, learningRate: 0.03, seed: 1 };
  const losses = [];
  let params;
  for await (const event of train({ engine, model, source, settings })) {
    if (event.type === 'step') losses.push(event.loss);
    if (event.type === 'end') params = event.params;
  }
  const session = await Session.create({ engine, model, params });
  let written = '';
  for await (const part of generate({ session, tokenizer, prompt: 'the cat ', maximumTokens: 20 }))
    written += part.text;
  return { description: engine.describe(), losses, written, stateBytes: session.stateBytes };
}
