import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { metric, newFolder, serving, until } from './support/serving.js';

const { start } = serving();
const model = 'tiny-llama3';

type Started = Awaited<ReturnType<typeof start>>;

/** A turn of a conversation that the server remembers. */
async function say({ client }: Started, session: string, content: string, more: object = {}) {
  const reply = await client.chat.completions.create({
    model,
    max_tokens: 6,
    temperature: 0,
    messages: [{ role: 'user', content }],
    ...{ session, ...more },
  });
  return reply.choices[0]!.message.content!;
}
const facts = async ({ url }: Started, id: string): Promise<{ bytes: number; position: number }> =>
  JSON.parse(await (await fetch(`${url}/v1/sessions/${id}`)).text());

describe('sessions', () => {
  it('go on where they were, in constant bytes, reading only what is new', async () => {
    const server = await start();
    await say(server, 'one', 'Hello');
    const { bytes, position } = await facts(server, 'one');
    for (let turn = 0; turn < 12; turn++) await say(server, 'one', 'and one more line of the conversation');
    const later = await facts(server, 'one');
    expect(later.bytes).toBe(bytes);
    expect(later.position).toBeGreaterThan(position + 12 * 10);
    // Another conversation knows nothing of it.
    expect(await say(server, 'two', 'Hello')).toBe(await say(server, 'three', 'Hello'));
    const listed = JSON.parse(await (await fetch(`${server.url}/v1/sessions`)).text());
    expect(listed.data.map(({ id }: { id: string }) => id)).toEqual(['one', 'three', 'two']);
    expect(await metric(server.url, 'sessions_held')).toBe(3);
  });

  it('read on what a completion wrote, as one text', async () => {
    const { client } = await start();
    const ask = { model, temperature: 0, max_tokens: 5 };
    const whole = await client.completions.create({ ...ask, prompt: 'Hello world', max_tokens: 10 });
    const first = await client.completions.create({ ...ask, prompt: 'Hello world', ...{ session: 'text' } });
    const second = await client.completions.create({ ...ask, prompt: '', ...{ session: 'text' } });
    expect(first.choices[0]!.text + second.choices[0]!.text).toBe(whole.choices[0]!.text);
  });

  it('survive a restart, and the same line gets the same reply', async () => {
    const sessions = newFolder();
    const before = await start({ sessions });
    await say(before, 'kept', 'Hello');
    await before.client.completions.create({
      model,
      prompt: 'drawn',
      max_tokens: 3,
      ...{ session: 'drawn' },
    });
    const copied = await before.post('/v1/sessions/kept/fork', { id: 'copy' });
    expect(copied.status).toBe(200);
    const expected = await say(before, 'copy', 'What then?');
    expect(await before.close()).toBe(3);
    expect(readdirSync(sessions).sort()).toEqual(['copy.session', 'drawn.session', 'kept.session']);
    const after = await start({ sessions });
    expect(await say(after, 'kept', 'What then?')).toBe(expected);
    // Nothing but that one has changed.
    expect(await after.close()).toBe(1);
  });

  it('move to their files when more are held than may, and come back', async () => {
    const sessions = newFolder();
    const server = await start({ sessions, heldSessions: 2 });
    for (const id of ['a', 'b', 'c', 'd']) await say(server, id, 'Hello');
    expect(await metric(server.url, 'sessions_held')).toBe(2);
    expect(readdirSync(sessions).sort()).toEqual(['a.session', 'b.session', 'server.lock']);
    const { position } = await facts(server, 'a');
    await say(server, 'a', 'again');
    expect((await facts(server, 'a')).position).toBeGreaterThan(position);
  });

  it('are forked with other random numbers, and removed', async () => {
    const sessions = newFolder();
    const server = await start({ sessions, heldSessions: 1 });
    await say(server, 'root', 'Hello');
    expect((await server.post('/v1/sessions/root/fork', { id: 'branch' })).status).toBe(200);
    expect((await server.post('/v1/sessions/root/fork', { id: 'branch' })).status).toBe(409);
    const warm = { temperature: 1, max_tokens: 24 };
    expect(await say(server, 'root', 'on', warm)).not.toBe(await say(server, 'branch', 'on', warm));
    const remove = (id: string) => fetch(`${server.url}/v1/sessions/${id}`, { method: 'DELETE' });
    expect((await remove('root')).status).toBe(200);
    expect((await remove('root')).status).toBe(404);
    expect(existsSync(`${sessions}/root.session`)).toBe(false);
  });

  it('belong to one request at a time, and stay as they were when its client leaves', async () => {
    const server = await start();
    await say(server, 'busy', 'Hello');
    const { position } = await facts(server, 'busy');
    const pieces = await server.client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'write' }],
      max_tokens: 4096,
      stream: true,
      ...{ session: 'busy' },
    });
    const reading = pieces[Symbol.asyncIterator]();
    await reading.next();
    await expect(say(server, 'busy', 'me too')).rejects.toMatchObject({ status: 409, code: 'session_busy' });
    pieces.controller.abort();
    await until(async () => (await metric(server.url, 'requests_running')) === 0);
    await until(async () => (await facts(server, 'busy')).position === position);
    expect(await say(server, 'busy', 'now')).not.toBe('');
  });
});
