import { standardRegistry } from '@palimpsest/harness';
import { ByteTokenizer, generateText, Session } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import { metric, newFolder, serving } from './support/serving.js';

const { start, engine } = serving();
const model = 'tiny-llama3';
const greedy = { model, temperature: 0, max_tokens: 12 } as const;

describe('the official client', () => {
  it('lists and finds the model', async () => {
    const { client } = await start();
    const listed = await client.models.list();
    expect(listed.data.map(({ id }) => id)).toEqual([model]);
    expect(await client.models.retrieve(model)).toMatchObject({ id: model, owned_by: 'palimpsest' });
    await expect(client.models.retrieve('another')).rejects.toMatchObject({ status: 404 });
  });

  it('completes as a session of the house does, and counts the tokens', async () => {
    const { client, language } = await start();
    const session = await Session.create({
      engine: engine(),
      model: language.model,
      params: language.params,
      sampling: { temperature: 0 },
    });
    const prompt = language.encodeStart('Hello world');
    const tokenizer = language.tokenizer;
    const expected = await generateText({ session, tokenizer, prompt, maximumTokens: 12, stopIds: [] });
    await session.dispose();
    const reply = await client.completions.create({ ...greedy, prompt: 'Hello world' });
    expect(reply).toMatchObject({
      object: 'text_completion',
      model,
      choices: [{ index: 0, text: expected, logprobs: null, finish_reason: 'length' }],
      usage: { prompt_tokens: prompt.length, completion_tokens: 12, total_tokens: prompt.length + 12 },
    });
    const ids = await client.completions.create({ ...greedy, prompt: [...prompt] });
    expect(ids.choices[0]!.text).toBe(expected);
  });

  it('streams the same text, with the numbers of tokens when they are asked for', async () => {
    const { client, url } = await start();
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
    ] as const;
    const ask = { ...greedy, messages: [...messages] } as never;
    const whole = await client.chat.completions.create(ask);
    const pieces = (await client.chat.completions.create({
      ...(ask as object),
      stream: true,
      stream_options: { include_usage: true },
    } as never)) as unknown as AsyncIterable<never>;
    let text = '';
    let usage: unknown;
    const finishes: unknown[] = [];
    for await (const piece of pieces as AsyncIterable<import('openai').OpenAI.ChatCompletionChunk>) {
      const [choice] = piece.choices;
      text += choice?.delta.content ?? '';
      if (choice) finishes.push(choice.finish_reason);
      usage ??= piece.usage ?? undefined;
    }
    expect(text).toBe(whole.choices[0]!.message.content);
    expect(finishes.at(-1)).toBe('length');
    expect(finishes.slice(0, -1).every((reason) => reason === null)).toBe(true);
    expect(usage).toEqual(whole.usage);
    expect(await metric(url, 'tokens_written_total')).toBe(24);
  });

  it('ends at stop texts, which are left out, and at the ids of the model', async () => {
    const { client } = await start();
    const whole = (await client.completions.create({ ...greedy, prompt: 'Hello' })).choices[0]!.text;
    const stop = whole.slice(3, 6);
    const cut = await client.completions.create({ ...greedy, prompt: 'Hello', stop: ['\u0000', stop] });
    expect(cut.choices[0]).toMatchObject({
      text: whole.slice(0, whole.indexOf(stop)),
      finish_reason: 'stop',
    });
  });

  it('ends at an id that ends texts, which is counted but not told, and which a session has read', async () => {
    const { language, client } = await start();
    const session = await Session.create({
      engine: engine(),
      model: language.model,
      params: language.params,
      seed: 5,
    });
    const prompt = language.encodeStart('Hello');
    const drawn: number[] = [];
    await session.prefill(prompt);
    for (let i = 0; i < 12; i++) drawn.push((await session.next({ temperature: 1 })).id);
    await session.dispose();
    // An id that comes for the first time behind some others.
    const at = drawn.findIndex((id, i) => i >= 3 && drawn.indexOf(id) === i);
    expect(at).toBeGreaterThan(0);
    const ending = await start({ language: { ...language, endIds: [drawn[at]!] } });
    const ask = { ...greedy, prompt: 'Hello', ...{ session: 'ended' } };
    const reply = await ending.client.completions.create({ ...ask, temperature: 1, seed: 5 });
    expect(reply.choices[0]).toMatchObject({
      text: language.tokenizer.decode(drawn.slice(0, at)),
      finish_reason: 'stop',
    });
    expect(reply.usage).toMatchObject({ prompt_tokens: prompt.length, completion_tokens: at + 1 });
    expect(await metric(ending.url, 'tokens_written_total')).toBe(at + 1);
    const next = await ending.client.completions.create({ ...ask, prompt: '', max_tokens: 1 });
    const expected = await client.completions.create({
      ...greedy,
      prompt: [...prompt, ...drawn.slice(0, at + 1)],
      max_tokens: 1,
    });
    expect(next.choices[0]!.text).toBe(expected.choices[0]!.text);
  });

  it('takes the likeliest token alone for a top_p of 0, as for a temperature of 0', async () => {
    const { client } = await start();
    const ask = { model, prompt: 'Hello', max_tokens: 12 };
    const cold = await client.completions.create({ ...ask, temperature: 0 });
    const narrow = await client.completions.create({ ...ask, top_p: 0, seed: 3 });
    const coldest = await client.completions.create({ ...ask, temperature: 1e-300, top_p: 0.9, seed: 3 });
    expect(narrow.choices[0]!.text).toBe(cold.choices[0]!.text);
    expect(coldest.choices[0]!.text).toBe(cold.choices[0]!.text);
  });

  it('gives equal replies for equal seeds, and others otherwise', async () => {
    const { client } = await start();
    const ask = async (seed?: number) => {
      const reply = await client.completions.create({
        model,
        prompt: 'Hello',
        max_tokens: 16,
        ...(seed !== undefined && { seed }),
      });
      return reply.choices[0]!.text;
    };
    const [first, again, other, free, freer] = [
      await ask(7),
      await ask(7),
      await ask(8),
      await ask(),
      await ask(),
    ];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(freer).not.toBe(free);
  });

  it('tells log-probabilities of what was drawn, and of the likeliest tokens', async () => {
    const { client } = await start();
    const chat = await client.chat.completions.create({
      ...greedy,
      messages: [{ role: 'user', content: 'Hello' }],
      logprobs: true,
      top_logprobs: 3,
    });
    const content = chat.choices[0]!.logprobs!.content!;
    expect(content).toHaveLength(12);
    for (const { logprob, top_logprobs: top } of content) {
      expect(top).toHaveLength(3);
      // The likeliest token is what a temperature of 0 takes.
      expect(top[0]!.logprob).toBe(logprob);
      expect(logprob).toBeLessThan(0);
      expect(top[1]!.logprob).toBeLessThanOrEqual(top[0]!.logprob);
    }
    const plain = await client.completions.create({ ...greedy, prompt: 'Hello', logprobs: 2 });
    const {
      tokens,
      token_logprobs: own,
      top_logprobs: top,
      text_offset: offsets,
    } = plain.choices[0]!.logprobs!;
    expect([tokens!.length, own!.length, top!.length]).toEqual([12, 12, 12]);
    expect(offsets!.slice(0, 2)).toEqual([0, tokens![0]!.length]);
    expect(Math.max(...Object.values(top![0]!))).toBe(own![0]);
  });

  it('answers several at once as one after the other', async () => {
    const { client } = await start({ parallel: 3 });
    const prompts = ['one', 'two and more', 'three', 'four', 'five'];
    const ask = async (prompt: string) =>
      (await client.completions.create({ ...greedy, prompt, seed: 3, temperature: 1 })).choices[0]!.text;
    const alone: string[] = [];
    for (const prompt of prompts) alone.push(await ask(prompt));
    expect(await Promise.all(prompts.map(ask))).toEqual(alone);
  });

  it('asks for a key when there is one', async () => {
    const { client, url, post } = await start({ apiKey: 'secret' });
    expect((await client.models.list()).data).toHaveLength(1);
    const refused = await post('/v1/completions', { ...greedy, prompt: '' });
    expect(refused.status).toBe(401);
    expect(await refused.json()).toMatchObject({ error: { code: 'invalid_api_key' } });
    expect((await fetch(`${url}/metrics`)).status).toBe(401);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const wrong = await post('/v1/completions', { ...greedy }, { authorization: 'Bearer secret2' });
    expect(wrong.status).toBe(401);
  });

  it.each(['osam', 'rsm', 'gru'])('talks with a model of %s, which has no chat template', async (name) => {
    const tokenizer = new ByteTokenizer();
    const architecture = standardRegistry.architecture(name);
    const own = architecture.create(tokenizer.vocabSize, {});
    const { client } = await start({
      language: {
        folder: newFolder(),
        model: own,
        params: own.init(Rng.fromSeed(1)),
        tokenizer,
        encodeStart: (text) => tokenizer.encode(text),
        dispose: async () => {},
        endIds: [],
        sampling: {},
        warnings: [],
      },
      name,
    });
    const ask = { model: name, max_tokens: 6, temperature: 0 };
    const chat = await client.chat.completions.create({
      ...ask,
      messages: [{ role: 'user', content: 'To be' }],
    });
    const plain = await client.completions.create({ ...ask, prompt: 'To be' });
    expect(chat.choices[0]!.message.content).toBe(plain.choices[0]!.text);
    expect(chat.usage).toEqual(plain.usage);
  });

  it('is told what is wrong in its own terms', async () => {
    const { client } = await start();
    const error = await client.completions
      .create({ ...greedy, prompt: '', max_tokens: 9999 })
      .catch((e) => e);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toMatchObject({ status: 400, param: 'max_tokens', code: 'invalid_value' });
  });
});
