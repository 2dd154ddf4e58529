// How the models of facts learn: texts that begin with facts, go on about other things and end in questions, drawn anew for every
// step. Only what the model itself has to say counts: "Ok." and the answers.
import { HuggingFaceTokenizer, IGNORED_TARGET, train } from '@palimpsest/lm';
import { full, Rng, zeros } from '@palimpsest/tensor-core';
import { askFact, drawFacts, Filler, factsText, tellFact, wordTokenizer } from '../dist/facts.js';

/**
 * Tokens of a text, texts of a step, steps, highest learning rate: longer texts when short ones are known. The questions begin at
 * a share of the text that is drawn evenly, to the power `near`.
 */
const STAGES = [
  { time: 96, batch: 16, steps: 3000, learningRate: 4e-3, near: 2 },
  { time: 384, batch: 6, steps: 700, learningRate: 2e-3, near: 2 },
  { time: 1536, batch: 2, steps: 500, learningRate: 1e-3, near: 2 },
  { time: 6144, batch: 1, steps: 1000, learningRate: 2e-3, near: 0.5 },
  { time: 24_576, batch: 1, steps: 300, learningRate: 1e-3, near: 0.5 },
];
const LONGEST = 24_576;
const MOST_FACTS = 8;

export const factsTokenizer = () => new HuggingFaceTokenizer(wordTokenizer(factsText(1, 200_000)));

/** Texts with their replies as targets; every text begins with a fresh memory. */
class FactBatches {
  carriesState = false;
  hasIgnoredTargets = true;
  #rng;
  #filler;

  constructor(tokenizer, { batch, time, near }, seed) {
    Object.assign(this, { tokenizer, batch, time, near });
    this.#rng = Rng.fromSeed(seed);
    this.#filler = new Filler(seed + 1);
  }

  next() {
    const { batch, time } = this;
    const inputs = zeros([batch, time], 'int32');
    const targets = full([batch, time], IGNORED_TARGET, 'int32');
    for (let lane = 0; lane < batch; lane++) {
      const { ids, isReply } = this.#text();
      for (let i = 0; i < time; i++) {
        inputs.data[lane * time + i] = ids[i];
        if (isReply[i + 1]) targets.data[lane * time + i] = ids[i + 1];
      }
    }
    return { inputs, targets, resets: full([batch], 1, 'int32') };
  }

  #text() {
    const rng = this.#rng;
    const [ids, isReply] = [[], []];
    const read = (part, own) => {
      for (const id of this.tokenizer.encode(part)) {
        ids.push(id);
        isReply.push(own);
      }
    };
    // What stands behind the first end of a line is the reply.
    const add = (lines) => {
      const at = lines.indexOf('\n') + 1;
      read(lines.slice(0, at), false);
      read(lines.slice(at), true);
    };
    const most = Math.min(MOST_FACTS, Math.floor(this.time / 24));
    const facts = drawFacts(rng, 1 + rng.int(most));
    for (const fact of facts) add(tellFact(fact));
    const far = ids.length + Math.floor(rng.uniform() ** this.near * (this.time - ids.length - 12));
    while (ids.length < far) add(this.#filler.line());
    while (ids.length <= this.time) {
      const fact = facts[rng.int(facts.length)];
      add(`${askFact(fact)} ${fact.food}.\n`);
      if (rng.int(4) === 0) add(this.#filler.line());
    }
    return { ids, isReply };
  }

  cursor() {
    return {};
  }

  seek() {}
}

/** Trains a model through all stages up to the longest texts that it shall read. Returns parameters on the host, and the steps. */
export async function trainFacts(engine, model, tokenizer, { longest = LONGEST, report }) {
  let params;
  let steps = 0;
  for (const [index, { time, batch, near, ...settings }] of STAGES.entries()) {
    if (time > longest) break;
    const source = new FactBatches(tokenizer, { batch, time, near }, 10 * (index + 1));
    const usual = { warmupSteps: 30, minimumRate: 0.05, weightDecay: 0.01, telemetry: false, seed: 1337 };
    for await (const event of train({ engine, model, source, params, settings: { ...usual, ...settings } })) {
      if (event.type === 'step') report(time, event);
      if (event.type === 'end') params = event.params;
    }
    steps += settings.steps;
  }
  return { params, steps };
}
