import { readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { standardRegistry } from '@palimpsest/harness';
import { ByteTokenizer } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { newFolder, serving } from './support/serving.js';

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
    endIds: [],
    sampling: {},
    warnings: [],
  };
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

  it('get errors of one shape, also for addresses that are none', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/v1/models/%ZZ`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: 'invalid_request_error', param: null } });
  });
});

describe('a server that cannot start', () => {
  it('gives the folder of its sessions back', async () => {
    const sessions = newFolder();
    await expect(start({ sessions, host: '203.0.113.7' })).rejects.toThrow(/Nothing can listen/);
    expect(readdirSync(sessions)).toEqual([]);
    await (await start({ sessions })).close();
  });
});
