import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '@palimpsest/base';
import { decodeSnapshot, type SessionSnapshot } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { SessionStore } from '../src/session-store.js';
import { newFolder } from './support/serving.js';

/** A memory of a few megabytes, which takes its time to write. */
const memory = (position: number): SessionSnapshot => ({
  model: 'm',
  position,
  history: [],
  rng: Rng.fromSeed(1).state(),
  state: { a: { dtype: 'float32', shape: [1_000_000], data: new Float32Array(1_000_000) } },
});
function open(held: number, most = 100) {
  const failures: unknown[] = [];
  const store = SessionStore.open(newFolder(), { held, most }, (error) => failures.push(error));
  const keep = (id: string, position = 1) => store.use(id, async () => memory(position));
  const pathOf = (id: string) => join(store.folder, `${id}.session`);
  return { store, failures, keep, pathOf };
}
const written = (path: string) => decodeSnapshot(readFileSync(path)).position;

describe('kept sessions', () => {
  it('that are removed do not come back by a write that was running', async () => {
    const { store, keep, pathOf } = open(1);
    await keep('a');
    const moving = keep('b');
    await new Promise((resolve) => setTimeout(resolve, 1));
    await Promise.all([moving, store.remove('a')]);
    expect(existsSync(pathOf('a'))).toBe(false);
    expect(store.ids()).toEqual(['b']);
    await store.close();
  });

  it('are in their files as they were last, whatever is written at the same time', async () => {
    const { store, keep, pathOf } = open(1);
    await keep('a', 1);
    const moving = keep('b');
    await new Promise((resolve) => setTimeout(resolve, 1));
    const newer = keep('a', 2);
    await Promise.all([moving, newer, store.save()]);
    await store.close();
    expect(written(pathOf('a'))).toBe(2);
    expect(written(pathOf('b'))).toBe(1);
  });

  it('that cannot move to their files stay in memory, and the request is done', async () => {
    const { store, failures, keep, pathOf } = open(1);
    await keep('a');
    mkdirSync(pathOf('a'));
    await keep('b');
    expect(failures).toEqual([expect.any(InputError)]);
    expect(store.held).toBe(2);
    expect(store.facts('a')).toEqual({ id: 'a', position: 1, bytes: 4_000_000 });
    await expect(store.close()).rejects.toThrow(/a\.session' cannot be written/);
    // The other one is saved, and the folder given back.
    expect(readdirSync(store.folder).sort()).toEqual(['a.session', 'b.session']);
    expect(written(pathOf('b'))).toBe(1);
  });

  it('that cannot be removed are there for the next request', async () => {
    const { store, keep, pathOf } = open(4);
    await keep('a');
    mkdirSync(join(pathOf('a'), 'something'), { recursive: true });
    await expect(store.remove('a')).rejects.toThrow();
    await keep('a', 2);
    expect(store.facts('a').position).toBe(2);
    await store.close().catch(() => {});
  });
});

describe('the number of sessions', () => {
  it('is bounded, those in files and those being begun included; what is there stays usable', async () => {
    const { store, keep } = open(1, 3);
    await keep('a');
    await keep('b');
    const both = await Promise.allSettled([keep('c'), keep('d')]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await expect(store.fork('a', 'e')).rejects.toMatchObject({ status: 403, code: 'too_many_sessions' });
    await keep('a', 2);
    await store.remove('b');
    await keep('d');
    expect(store.ids()).toEqual(['a', 'c', 'd']);
    await store.close();
  });
});

describe('the folder of sessions', () => {
  it('belongs to one server', async () => {
    const { store } = open(1);
    const again = () => SessionStore.open(store.folder, { held: 1, most: 100 }, () => {});
    expect(again).toThrow(InputError);
    expect(again).toThrow(/is being served from by process .*; end that server, or choose another folder/);
    await store.close();
    await again().close();
  });

  it('is refused at the start when it cannot be one', () => {
    const file = newFolder();
    writeFileSync(file, '');
    expect(() => SessionStore.open(file, { held: 1, most: 100 }, () => {})).toThrow(
      new InputError(`Sessions cannot be saved in '${file}': something else stands there.`),
    );
  });
});
