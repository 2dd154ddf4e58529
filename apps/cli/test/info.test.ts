import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { palimpsest } from './support/cli.js';
import { trainedRun } from './support/trained.js';

describe('palimpsest info', () => {
  it('says what a run folder holds', async () => {
    const run = await trainedRun();
    const { code, stdout } = await palimpsest(['info', run, '--json']);
    expect(code).toBe(0);
    const description = JSON.parse(stdout);
    expect(description).toMatchObject({
      model: 'osam',
      vocabSize: 17,
      tokenizer: 'character',
      config: { dModel: 16 },
    });
    expect(description.training).toMatchObject({ step: 20, tokens: 20 * 4 * 16 });
    const sizes = description.tensors.map(({ shape }: { shape: number[] }) =>
      shape.reduce((a, b) => a * b, 1),
    );
    expect(sizes.reduce((a: number, b: number) => a + b, 0)).toBe(description.parameters);
    const people = await palimpsest(['info', join(run, 'latest')]);
    expect(people.stdout).toMatch(new RegExp(`^memory +${description.stateBytes} bytes per text$`, 'm'));
  });

  it('names the torn file of a damaged checkpoint', async () => {
    const run = await trainedRun();
    const file = join(run, 'latest', 'model.safetensors');
    writeFileSync(file, readFileSync(file).subarray(0, -4));
    const { code, stderr } = await palimpsest(['info', run]);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^error: The checkpoint '.*' is torn: model\.safetensors has \d+ bytes, expected \d+/,
    );
  });
});
