import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError, type NDArray, ndarray, Rng, treeMap } from '@palimpsest/base';
import { adamw } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { CharacterTokenizer, loadCheckpoint, saveCheckpoint } from '../../src/index.js';
import { gatedRecurrence, testModels } from '../support/gated-recurrence.js';

const root = mkdtempSync(join(tmpdir(), 'palimpsest-lm-arrays-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const model = gatedRecurrence({ vocabSize: 4, width: 3, dropout: 0 });
type Tree = Record<string, unknown>;
const params = model.init(Rng.fromSeed(1)) as unknown as Tree;
const optimizer = adamw().init(params);

/** Saves a checkpoint with some of its parts replaced, changes config.json, and says how reading ends. */
async function ending(
  parts: { params?: unknown; optimizer?: unknown; memory?: unknown; tokenizer?: CharacterTokenizer } = {},
  edit: (config: Tree) => void = () => {},
): Promise<string> {
  count += 1;
  const folder = join(root, String(count));
  const { tokenizer, memory } = parts;
  await saveCheckpoint(folder, {
    model,
    params: parts.params ?? params,
    tokenizer,
    training: {
      progress: {},
      optimizer: parts.optimizer ?? optimizer,
      memory,
    },
  });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as Tree;
  const before = JSON.stringify(config);
  edit(config);
  if (JSON.stringify(config) !== before)
    writeFileSync(path, JSON.stringify({ ...config, checksum: undefined }));
  return loadCheckpoint(folder, testModels).then(
    () => 'loaded',
    (error: unknown) => {
      expect(error).toBeInstanceOf(InputError);
      expect((error as Error).message).toContain(folder);
      return (error as Error).message;
    },
  );
}

const withNumber = (tree: unknown, value: number) =>
  treeMap<NDArray, NDArray>(tree, ({ data, shape, dtype }) => {
    if (dtype !== 'float32' || data.length < 2) return { data, shape, dtype };
    const spoiled = Float32Array.from(data as Float32Array);
    spoiled[1] = value;
    return ndarray(spoiled, shape);
  });

const configOf = (config: Tree) => (config.model as { config: Tree }).config;

describe('a checkpoint is what its config.json says', () => {
  it('when nothing was changed', async () => {
    expect(await ending()).toBe('loaded');
  });

  it('down to its own checksum', async () => {
    const folder = join(root, 'changed');
    await saveCheckpoint(folder, { model, params });
    const path = join(folder, 'config.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"notes": {}', '"notes": { "a": 1 }'));
    await expect(loadCheckpoint(folder, testModels)).rejects.toThrow(
      'config.json has another SHA-256 than it states itself',
    );
  });

  it('or is refused: the model has other shapes', async () => {
    expect(
      await ending({}, (config) => {
        configOf(config).width = 5;
      }),
    ).toMatch(
      /model\.safetensors has '\w+(\.\w+)*' as float32 of shape \[.*\] instead of float32 of \[.*\], as the model/,
    );
  });

  it('or is refused: the model is far larger, before its memory is taken', async () => {
    const before = process.memoryUsage().rss;
    expect(
      await ending({}, (config) => {
        configOf(config).width = 100_000;
      }),
    ).toContain('config.json describes another model than that of');
    expect(process.memoryUsage().rss - before).toBeLessThan(2e8);
  });

  it('or is refused: no model can be made of it', async () => {
    expect(
      await ending({}, (config) => {
        (config.model as Tree).config = {};
      }),
    ).toMatch(/config\.json (has a 'model\.config' of which no model can be made|describes another model)/);
  });

  it('or is refused: a parameter is missing, or one too many', async () => {
    const [first] = Object.keys(params);
    const { [first!]: _left, ...fewer } = params;
    expect(await ending({ params: fewer })).toMatch(/model\.safetensors lacks/);
    expect(await ending({ params: { ...params, more: ndarray([1]) } })).toContain(
      "has 'more' beside what belongs there",
    );
    expect(
      await ending({}, (config) => {
        delete ((config.trees as Tree)['model.safetensors'] as Tree)[first!];
      }),
    ).toMatch(/has \d+ tensors, but config\.json names \d+ of them/);
  });

  it('or is refused: another number of parameters is stated', async () => {
    expect(
      await ending({}, (config) => {
        config.parameters = 7;
      }),
    ).toContain('config.json says that the model has 7 parameters');
  });

  it('or is refused: a tensor is named in the place of another', async () => {
    const [first] = Object.keys(params);
    expect(
      await ending({}, (config) => {
        ((config.trees as Tree)['model.safetensors'] as Tree)[first!] = 'other';
      }),
    ).toContain(`names the tensor "other" at '${first}'`);
  });

  it('or is refused: the tokenizer has more ids than the model', async () => {
    expect(await ending({ tokenizer: new CharacterTokenizer([...'abcde']) })).toContain(
      'tokenizer.json has a vocabulary of 5, but the model of config.json one of 4',
    );
  });
});

describe('numbers that are none', () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])('%d is refused wherever it stands', async (value) => {
    const message = (file: string) => `${file} holds numbers that are not finite, in '`;
    expect(await ending({ params: withNumber(params, value) })).toContain(message('model.safetensors'));
    expect(await ending({ optimizer: withNumber(optimizer, value) })).toContain(
      message('optimizer.safetensors'),
    );
    expect(await ending({ memory: { state: ndarray([0, value]) } })).toContain(message('memory.safetensors'));
  });
});

describe('the state of an optimiser', () => {
  it('is refused when it is not listed, though a run is stored', async () => {
    expect(
      await ending({}, (config) => {
        delete (config.files as Tree)['optimizer.safetensors'];
      }),
    ).toContain('optimizer.safetensors is not listed in config.json, so the run cannot go on exactly');
  });

  it('has moments for every parameter, of its shape, and squares that are not negative', async () => {
    const { first, second, step } = optimizer;
    const [name] = Object.keys(params);
    const { [name!]: _left, ...fewer } = first as Tree;
    expect(await ending({ optimizer: { first: fewer, second, step } })).toMatch(
      /lacks '.*' of shape .* in 'first'/,
    );
    expect(await ending({ optimizer: { first, second: { ...second, more: ndarray(1) }, step } })).toContain(
      "has 'more' beside what belongs there in 'second'",
    );
    expect(await ending({ optimizer: { first, step } })).toContain("in 'second'");
    expect(await ending({ optimizer: { first, second } })).toContain("has no number of steps in 'step'");
    expect(await ending({ optimizer: { first, second: withNumber(second, -1), step } })).toContain(
      'has a negative number',
    );
  });

  it('has a mean and the weights that it follows, both in the shapes of the parameters', async () => {
    const [name] = Object.keys(params);
    const { [name!]: _left, ...fewer } = params;
    const whole = { ...optimizer, mean: params, trainedParameters: params };
    expect(await ending({ optimizer: whole })).toBe('loaded');
    expect(await ending({ optimizer: { ...whole, mean: fewer } })).toMatch(/lacks .* in 'mean'/);
    expect(await ending({ optimizer: { ...whole, mean: undefined } })).toContain("in 'mean', where every");
    expect(await ending({ optimizer: { ...whole, trainedParameters: undefined } })).toContain(
      "in 'trainedParameters', where every parameter has a place",
    );
  });
});

describe('files that are not what they should be', () => {
  it.each(['model.safetensors', 'config.json'])('%s is a folder', async (name) => {
    const folder = join(root, `folder-${name}`);
    await saveCheckpoint(folder, { model, params });
    rmSync(join(folder, name));
    mkdirSync(join(folder, name));
    await expect(loadCheckpoint(folder, testModels)).rejects.toThrow(`${name} is no file`);
  });
});
