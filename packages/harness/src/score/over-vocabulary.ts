import type { AnySequenceModel, TextReader, Tokenizer } from '@palimpsest/lm';
import { InputError, ndarray, tf } from '@palimpsest/tensor-core';

/**
 * A model that is spoken to in other ids: id `i` is the model's own token `tokens[i]`, and no other token can be the answer.
 * @param tokens ids of the model's vocabulary, each once
 */
export function overVocabulary(model: AnySequenceModel, tokens: Int32Array): AnySequenceModel {
  const table = () => tf.tensor1d(tokens, 'int32');
  const own = <T extends tf.Tensor>(ids: T) =>
    tf.reshape(tf.gather(table(), tf.reshape(ids, [-1])), ids.shape);
  return {
    name: model.name,
    config: model.config,
    vocabSize: tokens.length,
    init: (rng) => model.init(rng),
    initState: (params, batch) => model.initState(params, batch),
    forward(params, ids, state, context) {
      const result = model.forward(params, own(ids) as tf.Tensor2D, state, context);
      return { logits: tf.gather(result.logits, table(), 2), state: result.state };
    },
    step(params, id, state) {
      const result = model.step(params, own(id) as tf.Tensor1D, state);
      return { logits: tf.gather(result.logits, table(), 1), state: result.state };
    },
    ...(model.reader && {
      reader: async (engine, params, batch) => readerOver(await model.reader!(engine, params, batch), tokens),
    }),
  };
}

function readerOver(reader: TextReader, tokens: Int32Array): TextReader {
  return {
    async read({ data, shape }) {
      const ids = Int32Array.from(data, (id) => tokens[id]!);
      const logits = await reader.read(ndarray(ids, shape, 'int32'));
      const width = logits.shape[2]!;
      const rows = logits.data.length / width;
      const picked = new Float32Array(rows * tokens.length);
      for (let row = 0; row < rows; row++) {
        tokens.forEach((token, at) => {
          picked[row * tokens.length + at] = logits.data[row * width + token]!;
        });
      }
      return ndarray(picked, [logits.shape[0]!, logits.shape[1]!, tokens.length]);
    },
    reset: () => reader.reset(),
    get stateBytes() {
      return reader.stateBytes;
    },
    get largestStateBytes() {
      return reader.largestStateBytes;
    },
    dispose: () => reader.dispose(),
  };
}

/**
 * The tokens of given texts, in their order.
 * @throws InputError when a text is no token of the vocabulary.
 */
export function tokensOf(task: string, texts: readonly string[], tokenizer: Tokenizer): Int32Array {
  return Int32Array.from(texts, (text) => {
    const ids = tokenizer.encode(text);
    if (ids.length === 1 && tokenizer.decode(ids) === text) return ids[0]!;
    throw new InputError(
      `The task '${task}' is made of characters, and ${JSON.stringify(text)} is no token of the model's vocabulary.`,
    );
  });
}

/** Tokens that stand for a text of their own, visible ones first, at most so many. */
export function plainTokens(tokenizer: Tokenizer, most: number): Int32Array {
  const visible: number[] = [];
  const blank: number[] = [];
  for (let id = 0; id < tokenizer.vocabSize && visible.length < most; id++) {
    const text = tokenizer.decode(Int32Array.of(id));
    const ids = tokenizer.encode(text);
    if (ids.length === 1 && ids[0] === id) (text.trim() === '' ? blank : visible).push(id);
  }
  return Int32Array.from([...visible, ...blank].slice(0, most));
}
