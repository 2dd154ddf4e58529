import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { fieldsOf, normaliseSpellings } from '../src/options/index.js';
import { runCommandLine } from '../src/program.js';
import { defineVerb, type Verb } from '../src/verb.js';
import { generate } from '../src/verbs/generate.js';

let errors = '';
beforeEach(() => {
  errors = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

/** Runs a verb as the command line does. @returns its exit code */
const run = (verb: Verb, ...args: string[]): Promise<number> =>
  runCommandLine(() => [verb], [...verb.path, ...args], {
    signal: new AbortController().signal,
    exitCode: 130,
    capture: () => () => {},
    saves: () => () => {},
  });

it('a verb that is interrupted while it loads a model says so and ends', async () => {
  const model = fileURLToPath(
    new URL('../../../packages/backbone/test/golden/hf/tiny-llama3', import.meta.url),
  );
  const words = ['generate', '--model', model, '--weights', '8bit', '--prompt', 'a', '--quiet'];
  const code = await runCommandLine(() => [generate], words, {
    signal: AbortSignal.abort(),
    exitCode: 130,
    capture: () => () => {},
    saves: () => () => {},
  });
  expect([code, errors]).toEqual([130, 'interrupted\n']);
});

/** A verb that records what it is called with. */
function recorder() {
  const calls: { options: unknown; given: string[]; positional: readonly string[] }[] = [];
  const verb = defineVerb({
    path: ['tune', 'toy'],
    description: 'records its options',
    arguments: [{ name: 'piece', description: 'what to play', required: false }],
    schema: z.object({
      stepSize: z
        .number()
        .gt(0)
        .default(0.5)
        .meta({ description: 'size', aliases: ['lr'] }),
      rates: z.array(z.number()).default([]).meta({ description: 'several' }),
      valuePath: z
        .boolean()
        .default(true)
        .meta({ description: 'on unless told otherwise', aliases: ['no-valpath'] }),
      keyMix: z.boolean().optional().meta({ description: 'decided elsewhere' }),
      amp: z
        .enum(['none', 'bf16'])
        .default('none')
        .meta({ description: 'accepted', inert: 'it is all float32' }),
    }),
    aliases: { rates: ['speeds'] },
    presets: { slow: { stepSize: 0.1, keyMix: false } },
    async run(options, { given }, positional) {
      calls.push({ options, given: [...given].sort(), positional });
      return 0;
    },
  });
  const tune = (...args: string[]) => run(verb, ...args);
  return { calls, tune };
}

describe('options of a verb', () => {
  it('have the defaults of the schema', async () => {
    const { calls, tune } = recorder();
    expect(await tune()).toBe(0);
    const options = { stepSize: 0.5, rates: [], valuePath: true, amp: 'none' };
    expect(calls).toEqual([{ options, given: [], positional: [] }]);
  });

  it('are taken in the spellings of the reference, with = too', async () => {
    const { calls, tune } = recorder();
    expect(await tune('--lr=0.25', '--speeds', '1,0.5', '--no_valpath', 'waltz')).toBe(0);
    expect(calls[0]).toMatchObject({
      options: { stepSize: 0.25, rates: [1, 0.5], valuePath: false },
      given: ['rates', 'stepSize', 'valuePath'],
      positional: ['waltz'],
    });
  });

  it('can be switched both ways when something else decides by default', async () => {
    const { calls, tune } = recorder();
    await tune('--key-mix');
    await tune('--no-key-mix');
    expect(calls.map(({ options }) => (options as { keyMix?: boolean }).keyMix)).toEqual([true, false]);
  });

  it('come from a preset, and flags override it', async () => {
    const { calls, tune } = recorder();
    await tune('--preset', 'slow', '--step-size', '2');
    expect(calls[0]).toMatchObject({
      options: { stepSize: 2, keyMix: false },
      given: ['keyMix', 'stepSize'],
    });
    expect(await tune('--preset', 'fast')).toBe(2);
    expect(errors).toContain('Allowed choices are slow');
  });

  it('say once that they change nothing here', async () => {
    const { tune } = recorder();
    expect(await tune('--amp', 'bf16')).toBe(0);
    expect(errors).toBe('note: --amp changes nothing here: it is all float32.\n');
  });

  it('refuse lists and numbers that are none', async () => {
    const { calls, tune } = recorder();
    expect(await tune('--rates', '1,two')).toBe(2);
    expect(errors).toBe("error: --rates needs numbers with commas between them, but 'two' was given.\n");
    expect(await tune('--step-size', '-1')).toBe(2);
    expect(calls).toEqual([]);
  });

  it('are a name or a number, and lists of choices too', async () => {
    const calls: unknown[] = [];
    const verb = defineVerb({
      path: ['keep'],
      description: 'records its options',
      schema: z.object({
        kept: z
          .union([z.enum(['text', 'all']), z.int().min(1)])
          .default('text')
          .meta({ description: 'what is kept' }),
        modes: z
          .array(z.enum(['a', 'b']))
          .default([])
          .meta({ description: 'several' }),
      }),
      async run(options) {
        calls.push(options);
        return 0;
      },
    });
    const keep = (...args: string[]) => run(verb, ...args);
    for (const args of [['--kept', '12', '--modes', 'a,b'], ['--kept', 'all'], []]) {
      expect(await keep(...args)).toBe(0);
    }
    expect(calls).toEqual([
      { kept: 12, modes: ['a', 'b'] },
      { kept: 'all', modes: [] },
      { kept: 'text', modes: [] },
    ]);
    expect(await keep('--kept', 'funny')).toBe(2);
    expect(await keep('--modes', 'c')).toBe(2);
    expect(errors).toMatch(/--kept.*[\s\S]*--modes/);
  });

  it('are asked for by what they are when they are needed, and refused when they are no finite numbers', async () => {
    const verb = defineVerb({
      path: ['fit'],
      description: 'needs a folder',
      schema: z.object({
        folder: z.string().meta({ description: 'where the bins lie' }),
        rate: z.number().default(1).meta({ description: 'size' }),
      }),
      run: async () => 0,
    });
    expect(await run(verb)).toBe(2);
    expect(await run(verb, '--folder', 'here', '--rate', '1e400')).toBe(2);
    expect(errors).toBe(
      "error: --folder is needed: where the bins lie.\nerror: --rate needs a number, but '1e400' was given.\n",
    );
  });
});

describe('normaliseSpellings', () => {
  it('leaves values and everything after -- alone', () => {
    const fields = fieldsOf(
      z.object({
        topK: z
          .number()
          .default(0)
          .meta({ description: 'k', aliases: ['topk'] }),
      }),
    );
    expect(normaliseSpellings(['a_b', '--topk', '3', '--top_k=4', '-x', '--', '--topk'], fields)).toEqual([
      'a_b',
      '--top-k',
      '3',
      '--top-k=4',
      '-x',
      '--',
      '--topk',
    ]);
  });
});
