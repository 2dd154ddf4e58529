import { ByteTokenizer } from '@palimpsest/lm';
import { expect, it } from 'vitest';
import { chatShape, completionShape } from '../src/shapes.js';

it('log-probabilities of tokens that a model never gives are numbers of JSON', () => {
  const tokenizer = new ByteTokenizer();
  const never = { id: 66, logProbability: -Infinity };
  const token = {
    type: 'token',
    text: 'B',
    ...never,
    alternatives: [{ id: 65, logProbability: -0.5 }, never],
  } as const;
  const sent = (shape: typeof completionShape) =>
    JSON.parse(JSON.stringify(shape({ tokenizer }, 'm', true).whole('B', [token], 'length'))).choices[0]
      .logprobs;
  expect(sent(completionShape)).toMatchObject({
    token_logprobs: [-9999],
    top_logprobs: [{ A: -0.5, B: -9999 }],
  });
  expect(sent(chatShape).content).toEqual([
    expect.objectContaining({
      logprob: -9999,
      top_logprobs: [
        { token: 'A', logprob: -0.5, bytes: [65] },
        { token: 'B', logprob: -9999, bytes: [66] },
      ],
    }),
  ]);
});
