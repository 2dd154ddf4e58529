import type { ConversationAdapters, TextModel } from '@palimpsest/ams-v4';
import { KeyValueMemory } from '@palimpsest/ams-v4';
import {
  createTransformer,
  stateFromRows,
  type TransformerParameters,
  type TransformerState,
} from '@palimpsest/backbone';
import { ndarray, runOnce, type tf } from '@palimpsest/tensor-core';
import type { Session } from './session.js';

/** Questions and tokens that are tried. */
const QUESTIONS = 2;
const TOKENS = 5;

/**
 * The ban on touching logits, tried: a loop that knows nothing of memories - the whole prompt again for each token, the likeliest of the
 * model's plain logits - gives the tokens that the memory's decoder gives.
 */
export async function logitsAreUntouched(
  text: TextModel,
  adapters: ConversationAdapters,
  session: Session,
): Promise<boolean> {
  const memory = new KeyValueMemory(text, adapters);
  try {
    await memory.writeMany(session.facts.map((fact) => fact.text));
    for (const { text: query } of session.queries.slice(0, QUESTIONS)) {
      const [found] = await memory.retrieve([query]);
      const mids = found!.filter(({ kept }) => kept).map(({ mid }) => mid);
      const prompt = memory.promptIds(query);
      const { ids } = await memory.continueBehind([prompt], [mids], TOKENS);
      const plain = await plainLoop(text, memory, mids, prompt, ids[0]!.length);
      if (ids[0]!.join() !== plain.join()) return false;
    }
    return true;
  } finally {
    await memory.dispose();
  }
}

async function plainLoop(
  text: TextModel,
  memory: KeyValueMemory,
  mids: readonly number[],
  prompt: readonly number[],
  count: number,
): Promise<number[]> {
  const { rows, softPrefix, positions } = memory.prefixOf(mids);
  const model = createTransformer({
    ...text.model.options,
    capacity: positions + prompt.length + count,
    sinks: 0,
  });
  const said: number[] = [];
  while (said.length < count) {
    const ids = [...prompt, ...said];
    const run = (
      weights: TransformerParameters,
      tokens: tf.Tensor,
      state?: TransformerState,
      soft?: tf.Tensor,
    ) =>
      model.run(
        weights,
        { tokens, ...(soft && { softPrefix: soft }) },
        state ?? model.initState(weights, 1),
        {
          logits: 'last',
        },
      ).logits!;
    const { data } = await runOnce(
      text.engine,
      run,
      text.weights,
      ndarray(Int32Array.from(ids), [1, ids.length], 'int32'),
      rows && stateFromRows(model.options, rows),
      softPrefix,
    );
    said.push(data.indexOf(Math.max(...data)));
  }
  return said;
}
