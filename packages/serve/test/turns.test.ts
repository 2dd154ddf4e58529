import { Session } from '@palimpsest/lm';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { serving, until } from './support/serving.js';

const { start } = serving();
afterEach(() => {
  vi.restoreAllMocks();
});

/** Lengths of the pieces of prompts that are read, and 0 for every token that is written, in order. */
function watched(): number[] {
  const happened: number[] = [];
  const [append, next] = [Session.prototype.append, Session.prototype.next];
  vi.spyOn(Session.prototype, 'append').mockImplementation(async function (this: Session, ids) {
    await append.call(this, ids);
    happened.push(ids.length);
  });
  vi.spyOn(Session.prototype, 'next').mockImplementation(async function (this: Session, sampling) {
    const drawn = await next.call(this, sampling);
    happened.push(0);
    return drawn;
  });
  return happened;
}

const prompt = Array.from({ length: 1000 }, (_, index) => 5 + (index % 200));
const model = 'tiny-llama3';

describe('a long prompt', () => {
  it('lets the reply to another client go on, a token for every few of its own', async () => {
    const server = await start({ maximumTokens: 5000, parallel: 2 });
    const happened = watched();
    const stream = await server.client.completions.create({
      model,
      prompt: 'To be',
      max_tokens: 5000,
      stream: true,
    });
    let received = 0;
    const reading = (async () => {
      for await (const _ of stream) received += 1;
    })().catch(() => undefined);
    await until(() => received > 5);
    happened.length = 0;
    const before = received;
    await server.client.completions.create({ model, prompt, max_tokens: 1 });
    const during = received - before;
    stream.controller.abort();
    await reading;
    const last = happened.findLastIndex((length) => length > 0);
    const first = happened.findIndex((length) => length > 0);
    let [longest, sum] = [0, 0];
    for (const length of happened.slice(first, last + 1)) {
      sum = length === 0 ? 0 : sum + length;
      longest = Math.max(longest, sum);
    }
    expect(happened.reduce((total, length) => total + length, 0)).toBe(prompt.length);
    expect(longest).toBeLessThanOrEqual(32);
    expect(during).toBeGreaterThan(prompt.length / 64);
    await server.close();
  });

  it('is read in large pieces when nobody else asks, but for a seed, whose reply is that beside others', async () => {
    const server = await start();
    const happened = watched();
    await server.client.completions.create({ model, prompt, max_tokens: 1 });
    expect(Math.max(...happened)).toBe(64);
    happened.length = 0;
    await server.client.completions.create({ model, prompt, max_tokens: 1, seed: 3 });
    expect(Math.max(...happened)).toBe(16);
    await server.close();
  });
});
