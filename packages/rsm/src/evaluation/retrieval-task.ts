import { InputError, type Rng } from '@palimpsest/tensor-core';
import type { AnswerTask, Question } from './answer-task.js';

export interface RetrievalOptions {
  /** Different entities. Default 16. */
  readonly entities?: number;
  /** Different values. Default 16. */
  readonly values?: number;
  /** Different filler tokens. Default 16. */
  readonly fillers?: number;
}

/** Tokens of a question beside the filler: entity, value; query, entity, answer mark. */
const FACT = 2;
const QUERY = 3;

/**
 * Retrieval at distance: filler, a fact (entity, value), `difficulty` fillers, then the query mark, the entity and the
 * answer mark, after which the value is expected. Pairs are drawn anew for every text, so that nothing can be learned by
 * heart; the distance is the number of tokens between value and query.
 *
 * Ids: entities, values, fillers, query mark, answer mark.
 */
export function retrievalTask(options: RetrievalOptions = {}): AnswerTask {
  const { entities = 16, values = 16, fillers = 16 } = options;
  for (const [name, count] of Object.entries({ entities, values, fillers })) {
    if (!(Number.isInteger(count) && count >= 1)) {
      throw new InputError(`Retrieval needs a positive number of ${name}, but ${count} was given.`);
    }
  }
  const firstFiller = entities + values;
  const queryMark = firstFiller + fillers;
  const filler = (rng: Rng) => firstFiller + rng.int(fillers);
  return {
    name: 'retrieval',
    vocabSize: queryMark + 2,
    answers: Array.from({ length: values }, (_, index) => entities + index),
    unit: 'tokens between value and query',
    hardest: (length) => length - FACT - QUERY,
    question(rng, length, difficulty): Question {
      const tokens = Int32Array.from({ length }, () => filler(rng));
      const entity = rng.int(entities);
      const answer = entities + rng.int(values);
      tokens.set([entity, answer], length - QUERY - difficulty - FACT);
      tokens.set([queryMark, entity, queryMark + 1], length - QUERY);
      return { tokens, answer, difficulty };
    },
  };
}
