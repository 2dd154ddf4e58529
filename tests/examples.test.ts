import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { repositoryRoot } from './support/workspaces.js';

const execute = promisify(execFile);
const examples = join(repositoryRoot, 'examples');
const program = join(repositoryRoot, 'apps', 'cli', 'dist', 'main.js');
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-examples-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const textOf = (...path: string[]) => readFileSync(join(examples, ...path), 'utf8');

/** The documents of a YAML file, as plain values. */
function yaml(...path: string[]) {
  const documents = parseAllDocuments(textOf(...path));
  expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
  // biome-ignore lint/suspicious/noExplicitAny: what other programs' files look like is theirs to say
  return documents.map((document) => document.toJS() as any);
}

/** Every `palimpsest ...` in a shell script, as words, continued lines joined. */
function commandsIn(script: string): string[][] {
  const lines = script.replace(/\\\n/g, ' ').split('\n');
  return lines.flatMap((line) => {
    const found = /^(?!\s*#).*?\bpalimpsest ((?:sweep|report|ls|describe|eval)\b[^#&|;]*)/.exec(line);
    return found ? [found[1]!.trim().split(/\s+/)] : [];
  });
}

const workflow = yaml('github-actions', 'sweep.yml')[0];
const [partSteps, reportSteps] = ['part', 'report'].map((job) =>
  workflow.jobs[job].steps.flatMap(({ run }: { run?: string }) => run ?? []),
);
const container = (document: { spec: { template: { spec: { containers: object[] } } } }) =>
  document.spec.template.spec.containers[0] as { args: [string]; env?: { name: string; value?: string }[] };
const indexedJob = yaml('kubernetes', 'sweep.yaml').find(({ kind }) => kind === 'Job');
const reportJob = yaml('kubernetes', 'report.yaml')[0];
const workers = yaml('kubernetes', 'queue.yaml').at(-1);

const scripts: Record<string, string> = {
  'github-actions/sweep.yml': [...partSteps, ...reportSteps].join('\n'),
  'slurm/sweep.sbatch': textOf('slurm', 'sweep.sbatch'),
  'slurm/report.sbatch': textOf('slurm', 'report.sbatch'),
  'kubernetes/sweep.yaml': container(indexedJob).args[0],
  'kubernetes/report.yaml': container(reportJob).args[0],
  'kubernetes/queue.yaml': container(workers).args[0],
  'README.md': [...textOf('README.md').matchAll(/```sh\n([\s\S]*?)```/g)].map(([, code]) => code).join('\n'),
};

const verbs = ['sweep merge', 'sweep worker', 'sweep', 'report'];
const help = new Map<string, Promise<string>>();
const helpOf = (verb: string) => {
  const known =
    help.get(verb) ??
    execute(process.execPath, [program, ...verb.split(' '), '--help']).then(({ stdout }) => stdout);
  help.set(verb, known);
  return known;
};

describe('the commands of the examples', () => {
  it.each(Object.keys(scripts))('exist with their flags: %s', async (name) => {
    const commands = commandsIn(scripts[name]!);
    expect(commands.length).toBeGreaterThan(0);
    for (const words of commands) {
      const verb = verbs.find((candidate) => words.join(' ').startsWith(candidate));
      expect(verb, words.join(' ')).toBeDefined();
      const page = await helpOf(verb!);
      expect(page).toContain(`Usage: palimpsest ${verb} `);
      const flags = words.filter((word) => word.startsWith('--'));
      for (const flag of flags) expect(page, `${verb} ${flag}`).toMatch(new RegExp(`^  ${flag}\\b`, 'm'));
    }
  });

  it('cover every part once', () => {
    const { part } = workflow.jobs.part.strategy.matrix;
    expect(part).toEqual(Array.from(part, (_, index) => index + 1));
    const parts = container(indexedJob).env!.find(({ name }) => name === 'PARTS');
    expect([parts!.value, indexedJob.spec.parallelism]).toEqual([
      String(indexedJob.spec.completions),
      indexedJob.spec.completions,
    ]);
  });

  it('take a grid whose cells exist', async () => {
    const { stdout } = await execute(
      process.execPath,
      [program, 'sweep', 'sweep.json', '--dry-run', '--json'],
      {
        cwd: examples,
      },
    );
    // Tasks, models, sizes, rates, seeds.
    expect(JSON.parse(stdout).total).toBe(2 * 4 * 2 * 4 * 3);
  });
});

/** A folder with a grid of four cells that take no time, and `palimpsest` and `npx` that run the built command. */
function workplace(): {
  folder: string;
  run: (script: string, env: Record<string, string>) => Promise<string>;
} {
  const folder = mkdtempSync(join(scratch, 'work-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const call = `exec "${process.execPath}" "${program}"`;
  writeFileSync(join(bin, 'palimpsest'), `#!/bin/sh\n${call} "$@"\n`);
  writeFileSync(join(bin, 'npx'), `#!/bin/sh\nshift\n${call} "$@"\n`);
  for (const name of ['palimpsest', 'npx']) chmodSync(join(bin, name), 0o755);
  const grid = {
    tasks: [{ name: 'sketch-error', options: { sketchDims: [64, 128], trials: 5 } }],
    seeds: [1, 2, 3, 4],
    engine: 'cpu',
  };
  writeFileSync(join(folder, 'sweep.json'), JSON.stringify(grid));
  return {
    folder,
    async run(script, env) {
      const PATH = `${bin}${delimiter}${process.env.PATH}`;
      const { stdout } = await execute('bash', ['-ec', script], {
        cwd: folder,
        env: { ...process.env, PATH, ...env },
      });
      return stdout;
    },
  };
}

function expectReport(folder: string): void {
  expect(readdirSync(join(folder, 'cells'))).toHaveLength(4);
  expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('TensorSketch');
}

describe('the sweeps of the examples', () => {
  it('leave the whole and a report: GitHub Actions', async () => {
    const { folder, run } = workplace();
    const steps = (all: string[]) => all.filter((step) => step.includes('palimpsest')).join('\n');
    for (const PART of ['1', '2']) await run(steps(partSteps), { PART, PARTS: '2' });
    await run(steps(reportSteps), {});
    expectReport(join(folder, 'results'));
  });

  it('leave the whole and a report: Slurm', async () => {
    const { folder, run } = workplace();
    for (const SLURM_ARRAY_TASK_ID of ['1', '2']) {
      const env = { SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_COUNT: '2', SLURM_CPUS_PER_TASK: '1' };
      await run(scripts['slurm/sweep.sbatch']!, env);
    }
    await run(scripts['slurm/report.sbatch']!, {});
    expectReport(join(folder, 'results'));
  });

  it('leave the whole and a report: Kubernetes', async () => {
    const { folder, run } = workplace();
    const mounted = (script: string) =>
      script.replaceAll('/grid/', './').replaceAll('/results/', './volume/');
    for (const JOB_COMPLETION_INDEX of ['0', '1']) {
      await run(mounted(scripts['kubernetes/sweep.yaml']!), { JOB_COMPLETION_INDEX, PARTS: '2', CPUS: '1' });
    }
    await run(mounted(scripts['kubernetes/report.yaml']!), {});
    expectReport(join(folder, 'volume', 'whole'));
  });
});

describe('the programs of the examples', () => {
  it('ask every model a task of one’s own, and find what is finished', async () => {
    const run = () => execute(process.execPath, [join(examples, 'own-task.mjs'), join(scratch, 'own')]);
    const first = (await run()).stdout;
    const bytes = (model: string, length: number) =>
      Number(
        new RegExp(`✓ +memory-size/${model}, length ${length},.* memory +([\\d ]+) bytes`)
          .exec(first)![1]!
          .replaceAll(' ', ''),
      );
    expect(bytes('osam', 10_000)).toBe(bytes('osam', 100));
    expect(bytes('transformer', 10_000)).toBeGreaterThan(90 * bytes('transformer', 100));
    expect(first).toContain('8 of 8 cells were computed now.');
    expect((await run()).stdout).toContain('0 of 8 cells were computed now.');
  });

  it.each([
    ['osam', '--d-model 8 --sketch-dim 8 --readout-hidden 8'],
    ['rsm', '--hidden-size 8 --num-layers 1 --num-heads 1 --num-memory-slots 2 --window-size 4'],
    ['transformer', '--layers 1 --heads 1 --model-width 8 --context 64'],
    ['om-arc', '--dim-input 8 --dim-hidden 8 --num-layers 1 --num-heads 1 --segment-len 8 --state-len 2'],
  ])(
    'write with an exported model what the program writes: %s',
    { timeout: 120_000 },
    async (name, flags) => {
      const run = join(scratch, name);
      const file = join(scratch, `${name}.onnx`);
      const cli = async (...args: string[]) =>
        (await execute(process.execPath, [program, ...args, '--quiet'])).stdout;
      const small = '--steps 12 --batch-size 4 --seq-len 16 --learning-rate 0.02 --warmup-steps 0';
      await cli('train', name, ...flags.split(' '), ...small.split(' '), '--sample-every', '0', '--out', run);
      await cli('export', run, '--out', file);
      // Longer than a segment and a window: the memory of one call is that of the next.
      const text = ['--prompt', 'hello wor', '--max-new-tokens', '40'];
      const expected = await cli('generate', run, ...text, '--temperature', '0', '--priming', 'exact');
      const { stdout } = await execute(process.execPath, [
        join(examples, 'onnx-step.mjs'),
        file,
        'hello wor',
      ]);
      expect(stdout).toBe(expected);
      expect(stdout.length).toBeGreaterThan(45);
    },
  );

  it('train and stream', async () => {
    const { stdout } = await execute(process.execPath, [join(examples, 'train-and-stream.mjs')]);
    expect(Number(/step 150: loss ([\d.]+)/.exec(stdout)![1])).toBeLessThan(2.6);
    expect(stdout).toMatch(/\n\d+ bytes of memory, before and after\n$/);
  });

  it.each(['namm-transformer', 'namm-simulation'])(
    'print what the page of the package shows: %s',
    { timeout: 300_000 },
    async (name) => {
      const { stdout } = await execute(process.execPath, [join(examples, `${name}.mjs`)]);
      const page = readFileSync(join(repositoryRoot, 'packages', 'namm', 'README.md'), 'utf8');
      expect(stdout.split('\n').length).toBeGreaterThan(3);
      expect(page).toContain(`\`\`\`text\n${stdout}\`\`\``);
    },
  );
});
