import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { metric, serving } from './support/serving.js';

const { start } = serving();
const model = 'tiny-llama3';
const completion = { model, prompt: 'Hello', max_tokens: 2 };
const chat = { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 2 };

/** Bodies that are refused, with the field that the answer names. */
const refused: readonly (readonly [string, string, unknown, number, string | null])[] = [
  ['no JSON', '/v1/completions', '{"model": ', 400, null],
  ['nothing', '/v1/completions', '', 400, null],
  ['a list', '/v1/completions', [], 400, null],
  ['null', '/v1/completions', 'null', 400, null],
  ['a prototype', '/v1/completions', '{"__proto__": {"x": 1}, "model": "m"}', 400, null],
  ['another model', '/v1/completions', { ...completion, model: 'gpt-4' }, 404, 'model'],
  ['no model', '/v1/completions', { prompt: 'a' }, 400, 'model'],
  ['a field that there is not', '/v1/completions', { ...completion, tempurature: 1 }, 400, 'tempurature'],
  ['a number as a prompt', '/v1/completions', { ...completion, prompt: 5 }, 400, 'prompt'],
  ['ids beyond the vocabulary', '/v1/completions', { ...completion, prompt: [99_999_999] }, 400, null],
  ['halves of ids', '/v1/completions', { ...completion, prompt: [1.5] }, 400, 'prompt'],
  ['several prompts', '/v1/completions', { ...completion, prompt: ['a', 'b'] }, 400, 'prompt'],
  ['a negative count', '/v1/completions', { ...completion, max_tokens: -1 }, 400, 'max_tokens'],
  ['an endless count', '/v1/completions', { ...completion, max_tokens: 1e300 }, 400, 'max_tokens'],
  ['a hot temperature', '/v1/completions', { ...completion, temperature: 1e9 }, 400, 'temperature'],
  ['two replies', '/v1/completions', { ...completion, n: 2 }, 400, 'n'],
  ['five stops', '/v1/completions', { ...completion, stop: ['a', 'b', 'c', 'd', 'e'] }, 400, 'stop'],
  ['an empty stop', '/v1/completions', { ...completion, stop: '' }, 400, 'stop'],
  ['biases', '/v1/completions', { ...completion, logit_bias: { 5: 1 } }, 400, 'logit_bias'],
  ['usage without a stream', '/v1/completions', { ...completion, stream_options: {} }, 400, 'stream_options'],
  ['a path as a session', '/v1/completions', { ...completion, session: '../../etc/passwd' }, 400, 'session'],
  ['a long prompt', '/v1/completions', { ...completion, prompt: 'word '.repeat(500) }, 400, null],
  ['no messages', '/v1/chat/completions', { ...chat, messages: [] }, 400, 'messages'],
  [
    'a picture',
    '/v1/chat/completions',
    { ...chat, messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
    400,
    'messages.0.content',
  ],
  [
    'a role that there is not',
    '/v1/chat/completions',
    { ...chat, messages: [{ role: 'god', content: '' }] },
    400,
    'messages.0.role',
  ],
  [
    'a name of a speaker',
    '/v1/chat/completions',
    { ...chat, messages: [{ role: 'user', content: '', name: 'Ada' }] },
    400,
    'messages.0.name',
  ],
  ['tools', '/v1/chat/completions', { ...chat, tools: [{}] }, 400, 'tools'],
  [
    'JSON replies',
    '/v1/chat/completions',
    { ...chat, response_format: { type: 'json_object' } },
    400,
    'response_format.type',
  ],
  ['likeliest tokens alone', '/v1/chat/completions', { ...chat, top_logprobs: 2 }, 400, 'top_logprobs'],
  ['a place that there is not', '/v1/embeddings', { model, input: 'a' }, 404, null],
  ['a fork of nothing', '/v1/sessions/none/fork', { id: 'other' }, 404, null],
];

describe('a server', () => {
  it('refuses what it cannot do with 4xx in the shape of errors, and answers on', async () => {
    const { post, url } = await start({ maximumPromptTokens: 200 });
    for (const [what, path, body, status, param] of refused) {
      const response = await post(path, body);
      const answer: unknown = await response.json();
      expect({ what, status: response.status, answer }).toEqual({
        what,
        status,
        answer: {
          error: {
            message: expect.stringMatching(/\S/),
            type: 'invalid_request_error',
            param,
            code: expect.any(String),
          },
        },
      });
    }
    const right = await post('/v1/completions', completion);
    expect(right.status).toBe(200);
    expect(await (await fetch(`${url}/metrics`)).text()).not.toMatch(/status="5/);
    expect(await metric(url, 'requests_running')).toBe(0);
  });

  it('refuses bodies that are too large, or of another type', async () => {
    const { post } = await start({ bodyLimit: 5000 });
    const large = await post('/v1/completions', { ...completion, prompt: 'a'.repeat(6000) });
    expect(large.status).toBe(413);
    expect(await large.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
    const text = await post('/v1/completions', JSON.stringify(completion), { 'content-type': 'text/plain' });
    expect(text.status).toBe(415);
    const deep = `${'['.repeat(2000)}${']'.repeat(2000)}`;
    expect((await post('/v1/completions', deep)).status).toBe(400);
  });

  it('outlives a connection that is no HTTP, and one that is cut in the middle of a body', async () => {
    const { url, post } = await start();
    const port = Number(new URL(url).port);
    for (const text of [
      '\u0000\u0001garbage\r\n\r\n',
      'POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"mo',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(text));
        socket
          .on('close', () => resolve())
          .on('error', () => resolve())
          .resume();
      });
    }
    expect((await post('/v1/completions', completion)).status).toBe(200);
  });
});
