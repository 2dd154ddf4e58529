import { fork } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { full, type NDArray, ndarray, Rng, treeToRecord } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type AnySequenceModel,
  BpeTokenizer,
  loadCheckpoint,
  type ModelRegistry,
  saveCheckpoint,
  settleFolder,
} from '../../src/index.js';
import { gatedRecurrence, testModels } from '../support/gated-recurrence.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-lm-checkpoint-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;
const place = () => {
  count += 1;
  return join(root, `checkpoint-${count}`);
};

const model = gatedRecurrence({ vocabSize: 300, width: 3, dropout: 0.1 });
const params = model.init(Rng.fromSeed(4));
const tokenizer = BpeTokenizer.train('a cat and a cap and a can', { vocabSize: 262 });

/** A model whose parameters are what save-forever.mjs writes. */
const numbers = {
  name: 'numbers',
  config: {},
  vocabSize: 1,
  init: () => ({ a: full([400_000], 0), b: { c: full([9], 0) } }),
} as unknown as AnySequenceModel;

async function saved(): Promise<string> {
  const folder = place();
  await saveCheckpoint(folder, { model, params, tokenizer, notes: { corpus: 'stories' } });
  return folder;
}

describe('checkpoints', () => {
  it('hold the model, its parameters and its tokenizer', async () => {
    const folder = await saved();
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    const loaded = await loadCheckpoint(folder, testModels);
    expect(loaded.model.config).toEqual(model.config);
    expect(treeToRecord<NDArray>(loaded.params)).toEqual(treeToRecord<NDArray>(params));
    expect([...loaded.tokenizer!.encode('a cat')]).toEqual([...tokenizer.encode('a cat')]);
    expect(loaded.notes).toEqual({ corpus: 'stories' });
    expect(loaded.training).toBeUndefined();
    expect(loaded.parametersId).toMatch(/^[0-9a-f]{64}$/);
  });

  it('keep the structure of trees with lists, empty parts, scalars and integers', async () => {
    const folder = place();
    const tree = {
      blocks: [{ weight: ndarray([1, 2], [2, 1]) }, {}],
      scale: ndarray(3),
      steps: full([2], 7, 'int32'),
    };
    const training = { progress: { step: 3 }, optimizer: { moments: [ndarray([1])] }, memory: [] };
    await saveCheckpoint(folder, { model: { name: 'any', config: {} }, params: tree, training });
    const loaded = await loadCheckpoint(folder, {
      any: () => ({ ...model, init: () => tree }) as AnySequenceModel,
    });
    expect(loaded.params).toEqual(tree);
    expect(loaded.training).toEqual(training);
  });

  it('are refused by name when torn, foreign or newer', async () => {
    const damage = async (change: (folder: string) => void) => {
      const folder = await saved();
      change(folder);
      return loadCheckpoint(folder, testModels).then(
        () => 'loaded',
        (error: Error) => error.message,
      );
    };
    const edit = (folder: string, name: string, change: (bytes: Uint8Array) => Uint8Array | string) =>
      writeFileSync(join(folder, name), change(readFileSync(join(folder, name))));
    const editConfig = (folder: string, change: Record<string, unknown>) =>
      edit(folder, 'config.json', (bytes) =>
        // Without its own checksum, as whoever changes a file by hand leaves it.
        JSON.stringify({ ...JSON.parse(new TextDecoder().decode(bytes)), checksum: undefined, ...change }),
      );

    expect(
      await damage((folder) => edit(folder, 'model.safetensors', (bytes) => bytes.slice(0, -5))),
    ).toMatch(/is torn: model.safetensors has \d+ bytes/);
    const flipped = (bytes: Uint8Array) =>
      bytes.map((byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
    expect(await damage((folder) => edit(folder, 'model.safetensors', flipped))).toContain(
      'model.safetensors has another SHA-256',
    );
    expect(await damage((folder) => rmSync(join(folder, 'tokenizer.json')))).toContain(
      'tokenizer.json is missing',
    );
    expect(await damage((folder) => edit(folder, 'config.json', (bytes) => bytes.slice(0, 40)))).toContain(
      'config.json is not JSON',
    );
    expect(await damage((folder) => edit(folder, 'config.json', () => '{"model_type":"gpt2"}'))).toContain(
      "format is 'unknown'",
    );
    expect(await damage((folder) => editConfig(folder, { version: 2 }))).toContain(
      'version 2, but this program reads version 1; update it',
    );
    expect(await damage((folder) => editConfig(folder, { files: {} }))).toContain(
      'model.safetensors is not listed',
    );
    expect(await damage((folder) => editConfig(folder, { files: 3 }))).toContain("'files'");
    expect(await damage((folder) => rmSync(join(folder, 'config.json')))).toContain('is not a checkpoint');
    expect(
      await damage((folder) => editConfig(folder, { model: { name: 'toString', config: {} } })),
    ).toContain("a model 'toString', but only gated-recurrence");
    await expect(loadCheckpoint(join(root, 'nowhere'), testModels)).rejects.toThrow(
      'There is no checkpoint folder',
    );
  });

  it('are found in the folder of a run', async () => {
    const run = place();
    mkdirSync(run);
    cpSync(await saved(), join(run, 'latest'), { recursive: true });
    expect((await loadCheckpoint(run, testModels)).folder).toBe(join(run, 'latest'));
  });

  it('survive a write that was cut off at any point', async () => {
    const folder = await saved();
    // Cut off while writing: an unfinished folder stands beside the whole one, and the next write clears it away.
    mkdirSync(`${folder}.partial`);
    writeFileSync(join(`${folder}.partial`, 'model.safetensors'), 'half');
    expect((await loadCheckpoint(folder, testModels)).folder).toBe(folder);
    // Cut off between the two renames: the former checkpoint has stepped aside.
    renameSync(folder, `${folder}.previous`);
    expect((await loadCheckpoint(folder, testModels)).folder).toBe(`${folder}.previous`);
    await saveCheckpoint(folder, { model, params, notes: { corpus: 'other' } });
    expect((await loadCheckpoint(folder, testModels)).notes).toEqual({ corpus: 'other' });
    expect([existsSync(`${folder}.partial`), existsSync(`${folder}.previous`)]).toEqual([false, false]);
  });

  it('are settled: a former version without a successor takes its name back, the rest goes', async () => {
    const folder = await saved();
    renameSync(folder, `${folder}.previous`);
    mkdirSync(`${folder}.partial`);
    settleFolder(folder);
    expect((await loadCheckpoint(folder, testModels)).folder).toBe(folder);
    mkdirSync(`${folder}.previous`);
    settleFolder(folder);
    expect([existsSync(`${folder}.partial`), existsSync(`${folder}.previous`)]).toEqual([false, false]);
    expect((await loadCheckpoint(folder, testModels)).folder).toBe(folder);
  });

  it('survive SIGKILL in the middle of a write', async () => {
    const folder = place();
    const registry: ModelRegistry = { numbers: () => numbers };
    const script = fileURLToPath(new URL('../support/save-forever.mjs', import.meta.url));
    for (const delay of [3, 11, 23]) {
      const reported = await new Promise<number>((resolve, reject) => {
        let last = 0;
        const child = fork(script, [folder]);
        child.on('message', (save: number) => {
          last = save;
          if (save === 2) setTimeout(() => child.kill('SIGKILL'), delay);
        });
        child.on('error', reject);
        child.on('exit', (_code, signal) =>
          signal === 'SIGKILL' ? resolve(last) : reject(new Error(`exit by ${signal}`)),
        );
      });
      const loaded = await loadCheckpoint(folder, registry);
      const save = loaded.notes.save as number;
      expect(save).toBeGreaterThanOrEqual(reported);
      const { a, b } = loaded.params as { a: NDArray; b: { c: NDArray } };
      expect(new Set([...a.data, ...b.c.data])).toEqual(new Set([save]));
    }
  });

  it('can be read at any moment while it is being replaced', async () => {
    const folder = place();
    const registry: ModelRegistry = { numbers: () => numbers };
    const script = fileURLToPath(new URL('../support/save-forever.mjs', import.meta.url));
    const child = fork(script, [folder]);
    await new Promise((resolve) => child.once('message', resolve));
    try {
      const seen = new Set<unknown>();
      for (let reading = 0; reading < 60; reading++) {
        const { notes, params: read } = await loadCheckpoint(folder, registry);
        const { a, b } = read as { a: NDArray; b: { c: NDArray } };
        expect(new Set([...a.data, ...b.c.data])).toEqual(new Set([notes.save]));
        seen.add(notes.save);
      }
      expect(seen.size).toBeGreaterThan(1);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
