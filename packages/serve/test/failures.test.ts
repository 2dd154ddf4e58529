import { readdirSync, writeFileSync } from 'node:fs';
import { Agent, get, request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { standardRegistry } from '@palimpsest/harness';
import { type AnySequenceModel, ByteTokenizer, type Decoder } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { metric, newFolder, serving, until } from './support/serving.js';

const { start } = serving();
const model = 'tiny-llama3';
const ask = { model, prompt: 'Hello', max_tokens: 4, temperature: 0 };

/** A tokenizer that fails when a third token is made into text. */
class FailingTokenizer extends ByteTokenizer {
  override streamingDecoder() {
    let left = 2;
    return {
      push: () => {
        left -= 1;
        if (left < 0) throw new Error('the decoder failed');
        return 'a';
      },
      flush: () => '',
    };
  }
}

function failing() {
  const tokenizer = new FailingTokenizer();
  const own = standardRegistry.architecture('osam').create(tokenizer.vocabSize, {});
  return {
    folder: 'failing',
    model: own,
    params: own.init(Rng.fromSeed(1)),
    tokenizer,
    encodeStart: (text: string) => tokenizer.encode(text),
    dispose: async () => {},
    endIds: [],
    sampling: {},
    warnings: [],
  };
}

/** A model whose decoders stand in a set until they are given back. */
function counted(held: Set<Decoder>): AnySequenceModel {
  const decoder = (): Decoder => {
    const own: Decoder = {
      read: async () => new Float32Array(256),
      state: async () => ({}),
      restore: async () => {},
      reset: async () => {},
      fork: async () => decoder(),
      stateBytes: 0,
      dispose: async () => {
        held.delete(own);
      },
    };
    held.add(own);
    return own;
  };
  return { ...failing().model, decoder: async () => decoder() };
}

describe('what goes wrong inside', () => {
  it.each([true, false])('is told to the log and not to the client, in a stream: %s', async (stream) => {
    const failures: unknown[] = [];
    const { post } = await start({ language: failing(), onFailure: (error) => failures.push(error) });
    const response = await post('/v1/completions', { ...ask, model: 'failing', stream });
    const text = await response.text();
    expect(response.status).toBe(stream ? 200 : 500);
    expect(text).toContain('"code":"internal_error"');
    expect(text).not.toContain('decoder');
    expect(failures).toEqual([new Error('the decoder failed')]);
  });

  it('is a torn session, which can be removed', async () => {
    const failures: unknown[] = [];
    const sessions = newFolder();
    const { post, url } = await start({ sessions, onFailure: (error) => failures.push(error) });
    writeFileSync(join(sessions, 'torn.session'), 'torn');
    const response = await post('/v1/completions', { ...ask, session: 'torn' });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain(sessions);
    expect(failures).toEqual([
      expect.objectContaining({ message: expect.stringContaining("'torn' cannot be read") }),
    ]);
    expect((await fetch(`${url}/v1/sessions/torn`, { method: 'DELETE' })).status).toBe(200);
    expect((await post('/v1/completions', { ...ask, session: 'torn' })).status).toBe(200);
  });
});

describe('a session of another model', () => {
  it('is refused with 409, and without the paths of the server', async () => {
    const sessions = newFolder();
    const first = await start({ sessions });
    expect((await first.post('/v1/completions', { ...ask, session: 'kept' })).status).toBe(200);
    await first.close();
    expect(first.language.parametersId).toMatch(/^[0-9a-f]{64}$/);
    const language = { ...first.language, parametersId: '/secret/place' };
    const own = { ...language, parametersId: '/another/place' };
    const second = await start({ sessions, language });
    expect((await second.post('/v1/completions', { ...ask, session: 'kept' })).status).toBe(409);
    expect((await second.post('/v1/completions', { ...ask, session: 'own' })).status).toBe(200);
    await second.close();
    const third = await start({ sessions, language: own });
    const refused = await third.post('/v1/completions', { ...ask, session: 'own' });
    expect(refused.status).toBe(409);
    const answer = await refused.text();
    expect(JSON.parse(answer)).toMatchObject({
      error: { code: 'session_of_another_model', param: 'session' },
    });
    expect(answer).not.toContain('place');
  });
});

describe('callers', () => {
  /** The status for a request that names this host. */
  const named = (url: string, host: string, authorization?: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const headers = { host, ...(authorization !== undefined && { authorization }) };
      request(`${url}/v1/models`, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });

  it('who ask for this machine by a foreign name are refused, unless they have a key', async () => {
    const { url } = await start();
    for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1:8080', '127.3.2.1', '[::1]:8080', '[::1]'])
      expect([host, await named(url, host)]).toEqual([host, 200]);
    for (const host of ['example.org', 'example.org:80', 'localhost.example.org', '127.0.0.1.example.org'])
      expect([host, await named(url, host)]).toEqual([host, 403]);
    const keyed = await start({ apiKey: 'secret' });
    expect(await named(keyed.url, 'example.org', 'Bearer secret')).toBe(200);
  });

  it('who speak no HTTP, or send too many headers, get errors of that shape too', async () => {
    const { url } = await start();
    const send = (request: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(request));
        socket.on('error', reject);
        text(socket).then(resolve, reject);
      });
    const garbage = await send('what is this\r\n\r\n');
    expect(garbage).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(garbage.split('\r\n\r\n')[1]!)).toMatchObject({
      error: { type: 'invalid_request_error', code: 'no_http', param: null },
    });
    const large = await send(`GET /health HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 431 .*"code":"headers_too_large"/s);
  });

  it('get errors of one shape, also for addresses that are none', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/v1/models/%ZZ`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param: null } });
  });
});

describe('the name of the model', () => {
  it.each([
    ['runs/mine', 'mine'],
    ['runs/mine/', 'mine'],
    ['runs/mine/.', 'mine'],
    ['models/small.GGUF', 'small'],
  ])('for %s is %s', async (folder, expected) => {
    const { model: name } = await start({ language: { ...failing(), folder } });
    expect(name).toBe(expected);
  });
});

describe('a server that shuts down', () => {
  it('refuses what comes then, on connections that are there', async () => {
    const { url, client, close } = await start({ parallel: 1 });
    const connection = new Agent({ keepAlive: true, maxSockets: 1 });
    const health = () =>
      new Promise<[number | undefined, string]>((resolve, reject) => {
        get(`${url}/health`, { agent: connection }, async (response) =>
          resolve([response.statusCode, await text(response)]),
        ).on('error', reject);
      });
    expect(await health()).toEqual([200, '{"status":"ok"}']);
    const long = client.completions.create({ ...ask, max_tokens: 4096 }).catch((error: unknown) => error);
    await until(async () => (await metric(url, 'requests_running')) === 1);
    const closed = close();
    const [status, body] = await health();
    expect([status, JSON.parse(body)]).toEqual([
      503,
      { error: expect.objectContaining({ type: 'server_error', code: 'shutting_down' }) },
    ]);
    await closed;
    expect(await long).toMatchObject({ status: 503, code: 'reply_stopped' });
    connection.destroy();
  });
});

describe('a server that cannot start', () => {
  it.each([
    [
      'a port that is taken',
      (port: number) => ({ port }),
      /Nothing can listen at 127.0.0.1, port \d+: .*in use/,
    ],
    ['a limit that is none', () => ({ bodyLimit: -1 }), /bodyLimit/],
  ])('gives its memories back: %s', async (_what, options, message) => {
    const { url } = await start();
    const held = new Set<Decoder>();
    const port = Number(new URL(url).port);
    const language = { ...failing(), model: counted(held) };
    await expect(start({ language, ...options(port) })).rejects.toThrow(message);
    expect(held.size).toBe(0);
    await (await start({ language })).close();
    expect(held.size).toBe(0);
  });

  it('gives the folder of its sessions back', async () => {
    const sessions = newFolder();
    await expect(start({ sessions, host: '203.0.113.7' })).rejects.toThrow(/Nothing can listen/);
    expect(readdirSync(sessions)).toEqual([]);
    await (await start({ sessions })).close();
  });
});
