// node bench/decode.mjs: a token of the session that `palimpsest generate` runs against one of the decoder alone and of the
// compiled step, in turn; the published generator; whether the cost grows with the text; the bytes of the state.
import { Session, StepDecoder } from '../../lm/dist/index.js';
import { createEngine, Rng } from '../../tensor-core/dist/index.js';
import { createRsmModel } from '../dist/index.js';
import { measured, milliseconds, randomTokens, ratios } from './common.mjs';

const shapes = {
  'd 128, L 4': { hiddenSize: 128, numLayers: 4 },
  'd 256, L 8': { hiddenSize: 256, numLayers: 8 },
};
const engine = await createEngine('onnx');
console.log(
  `engine: ${engine.describe().runtime}, ${engine.describe().threads} threads; 32 slots, 65 ids, batch 1`,
);
const total = (times) => ({
  wall: times.reduce((sum, { wall }) => sum + wall, 0),
  cpu: times.reduce((sum, { cpu }) => sum + cpu, 0),
});

// SHAPE=128 keeps those whose name holds it.
for (const [name, shape] of Object.entries(shapes).filter(([key]) => key.includes(process.env.SHAPE ?? ''))) {
  for (const windowSize of [256, 512]) {
    const options = { ...shape, vocabSize: 65, numHeads: 4, numMemorySlots: 32, windowSize, dropout: 0 };
    const model = createRsmModel(options);
    const params = model.init(Rng.fromSeed(1));
    const published = createRsmModel({ ...options, preset: 'parity', useGlobalSync: false });
    const decoder = await model.decoder(engine, params);
    const step = await StepDecoder.create(engine, model, params);
    const window = await published.decoder(engine, published.init(Rng.fromSeed(1)));
    const session = await Session.create({ engine, model, params, sampling: { temperature: 0.8 } });
    await session.append([3]);
    await window.read(randomTokens(1, windowSize - 1, options.vocabSize).data);
    const forms = {
      decoder: () => decoder.read([3]),
      session: () => session.next(),
      step: () => step.read([3]),
      window: () => window.read([3]),
    };
    const run = async () => {
      const times = { decoder: [], session: [], step: [], window: [] };
      for (let place = 0; place < windowSize; place++) {
        times.decoder.push((await measured(forms.decoder)).time);
        times.session.push((await measured(forms.session)).time);
        if (place % 8 === 0) times.step.push((await measured(forms.step)).time);
        if (place % 32 === 0) times.window.push((await measured(forms.window)).time);
      }
      return times;
    };
    // A chunk before, so that every graph is made and every function is optimised.
    await run();
    const first = await run();
    await decoder.read(randomTokens(1, 7 * windowSize, 65).data);
    const later = await run();
    console.log(
      `${name}, C ${windowSize}: decoder ${milliseconds(later.decoder, 2)} a token; state ${decoder.stateBytes} bytes`,
    );
    console.log(`  session over decoder: ${ratios(later.session, later.decoder)}`);
    console.log(
      `  all tokens of a chunk, its write included: ${ratios([total(later.session)], [total(later.decoder)])}`,
    );
    console.log(`  step over decoder: ${ratios(later.step, later.decoder)}`);
    console.log(`  published generator over decoder: ${ratios(later.window, later.decoder)}`);
    console.log(`  tenth chunk over the second: ${ratios(later.decoder, first.decoder)}`);
    for (const part of [decoder, step, window, session]) await part.dispose();
  }
}
await engine.dispose();
