import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CliOptions, emptyFolder, palimpsest } from './support/cli.js';
import { tiny, trainedRun } from './support/trained.js';

const small = ['--d', '8', '--m', '8', '--hidden', '8', '--batch', '2', '--seq', '8', '--sample-every', '0'];
const train = (args: readonly string[], options?: CliOptions) =>
  palimpsest(['train', 'osam', ...args, '--quiet', '--threads', '1'], options);
const parameters = (folder: string) => readFileSync(join(folder, 'latest', 'model.safetensors'));
const refusal = async (args: readonly string[], options?: CliOptions) => {
  const { code, stdout, stderr } = await train(args, options);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^error: .*\n$/);
  return stderr;
};

describe('a folder for a run', () => {
  it.each([
    ['latest', (folder: string) => writeFileSync(join(folder, 'latest'), 'mine')],
    ['best', (folder: string) => mkdirSync(join(folder, 'best'))],
    ['latest.previous', (folder: string) => mkdirSync(join(folder, 'latest.previous'))],
    ['best.partial', (folder: string) => writeFileSync(join(folder, 'best.partial'), 'mine')],
    ['metrics.jsonl', (folder: string) => writeFileSync(join(folder, 'metrics.jsonl'), '{"mine":1}\n')],
    ['curve.svg', (folder: string) => writeFileSync(join(folder, 'curve.svg'), '<svg/>')],
  ])('is refused when %s in it is not of a run, which stays', async (name, make) => {
    const cwd = emptyFolder();
    mkdirSync(join(cwd, 'mine'));
    make(join(cwd, 'mine'));
    const before = spawnSync('find', ['mine', '-type', 'f', '-exec', 'cat', '{}', '+'], { cwd }).stdout;
    expect(await refusal([...small, '--steps', '1', '--out', 'mine'], { cwd })).toContain(`'${name}'`);
    expect(spawnSync('find', ['mine', '-type', 'f', '-exec', 'cat', '{}', '+'], { cwd }).stdout).toEqual(
      before,
    );
    expect(existsSync(join(cwd, 'mine', name))).toBe(true);
  });

  it('is refused when it is a file, a checkpoint, an empty or a too long name', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'file'), 'mine');
    const out = (name: string) => refusal([...small, '--steps', '1', '--out', name], { cwd });
    expect(await out('file')).toContain("'file' is a file");
    expect(await out('')).toContain('(--out)');
    expect(await out('n'.repeat(400))).toContain('the name is too long');
    expect(await out(join(run, 'latest'))).toContain('config.json');
    expect(await out('file/inner')).toContain('file/inner');
  });

  it('belongs to one process at a time, and is taken over from one that is gone', async () => {
    const folder = join(emptyFolder(), 'run');
    const lock = join(folder, 'run.lock');
    let second: Promise<string> | undefined;
    await train([...small, '--steps', '100000', '--out', folder], {
      onStart: (child) => {
        const timer = setInterval(() => {
          if (second || !existsSync(join(folder, 'latest', 'config.json'))) return;
          second = refusal(['--load', folder, '--steps', '100000']).finally(() => child.kill('SIGKILL'));
        }, 20);
        child.on('close', () => clearInterval(timer));
      },
    });
    expect(await second).toMatch(/is being trained into by process \d+ on .* since \d{4}-/);
    expect(existsSync(lock)).toBe(true);
    const { code } = await train(['--load', folder, '--steps', '1']);
    expect(code).toBe(0);
    expect(existsSync(lock)).toBe(false);
  });
});

describe('a run that goes on', () => {
  it('refuses by name what cannot change, and takes what is the same', async () => {
    const run = await trainedRun();
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'other.txt'), 'another text '.repeat(100));
    const wrong: [string, string[]][] = [
      ['--d-model', ['--d-model', '24']],
      ['--batch-size', ['--batch-size', '7']],
      ['--seq-len', ['--seq', '32']],
      ['--tokenizer', ['--tokenizer', 'byte']],
      ['--reading', ['--reading', 'lanes']],
      ['--layout', ['--layout', 'stories']],
      ['--validation-fraction', ['--validation-fraction', '0.3']],
      ['--preset', ['--preset', 'reference']],
      ['--freeze-phase', ['--freeze-phase']],
      ['--text-path', ['--text-path', 'other.txt']],
      ["'stories'", ['--dataset', 'stories']],
    ];
    for (const [name, flags] of wrong) {
      expect(await refusal(['--load', run, '--steps', '99', ...flags], { cwd })).toContain(name);
    }
    const other = await palimpsest(['train', 'rsm', '--load', run, '--quiet'], { cwd });
    expect(other.code).toBe(2);
    expect(other.stderr).toContain("trains a model 'osam', not 'rsm'");
    expect(parameters(run).length).toBeGreaterThan(0);
  }, 120_000);

  it('goes on in another folder, with its past, and leaves the former one as it is', async () => {
    const cwd = emptyFolder();
    const text = join(cwd, 'data', 'my.txt');
    mkdirSync(join(cwd, 'data'));
    writeFileSync(text, 'the cat sat on the mat. '.repeat(60));
    const begun = await train([...small, '--text-path', 'my.txt', '--steps', '4', '--out', '../run'], {
      cwd: join(cwd, 'data'),
    });
    expect(begun.code).toBe(0);
    const before = parameters(join(cwd, 'run'));
    const more = ['--load', 'run', '--steps', '8'];
    expect((await train([...more, '--out', 'a'], { cwd })).code).toBe(0);
    expect(parameters(join(cwd, 'run')).equals(before)).toBe(true);
    const steps = readFileSync(join(cwd, 'a', 'metrics.jsonl'), 'utf8').match(/"type":"step"/g);
    expect(steps).toHaveLength(8);
    expect(existsSync(join(cwd, 'a', 'best'))).toBe(true);
    expect(await refusal([...more, '--out', 'a'], { cwd })).toContain("'a' holds another run");
    // The text is moved away: its new place has to be named.
    cpSync(text, join(cwd, 'moved.txt'));
    rmSync(text);
    expect(await refusal([...more, '--out', 'b'], { cwd })).toContain('--text-path');
    expect((await train([...more, '--out', 'b', '--text-path', 'moved.txt'], { cwd })).code).toBe(0);
    expect(parameters(join(cwd, 'b')).equals(parameters(join(cwd, 'a')))).toBe(true);
    writeFileSync(join(cwd, 'moved.txt'), 'the cat sat on the hat. '.repeat(60));
    expect(await refusal(['--load', 'b', '--steps', '9'], { cwd })).toContain('moved.txt');
  }, 120_000);

  it('begins again when it was ended before its first checkpoint', async () => {
    const cwd = emptyFolder();
    mkdirSync(join(cwd, 'run', 'latest.partial'), { recursive: true });
    writeFileSync(join(cwd, 'run', 'metrics.jsonl'), '{"type":"start","model":"osam"}\n{"type":"st');
    expect((await train([...small, '--steps', '2', '--out', 'run'], { cwd })).code).toBe(0);
    const lines = readFileSync(join(cwd, 'run', 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line).type)).toEqual([
      'start',
      'checkpoint',
      'step',
      'step',
      'checkpoint',
      'validation',
      'checkpoint',
      'checkpoint',
      'end',
    ]);
  });

  it('goes on when the removal of a former checkpoint, or the copy of the best one, was cut off', async () => {
    const cwd = emptyFolder();
    const run = join(cwd, 'run');
    cpSync(await trainedRun(), run, { recursive: true });
    const going = ['--load', 'run', '--steps', '22'];
    cpSync(join(run, 'latest'), join(run, 'latest.previous'), { recursive: true });
    for (const name of ['config.json', 'model.safetensors']) rmSync(join(run, 'latest.previous', name));
    mkdirSync(join(run, 'best.partial'));
    expect((await train(going, { cwd })).code).toBe(0);
    const left = readdirSync(run).filter((name) => /\.(previous|partial)$/.test(name));
    expect(left).toEqual([]);
    // What no checkpoint has is somebody else's, whatever stands beside it.
    mkdirSync(join(run, 'latest.previous'));
    writeFileSync(join(run, 'latest.previous', 'notes.txt'), 'mine');
    expect(await refusal(['--load', 'run', '--steps', '24'], { cwd })).toContain("'latest.previous'");
    expect(readFileSync(join(run, 'latest.previous', 'notes.txt'), 'utf8')).toBe('mine');
  });

  it('passes over a line of the metrics that was cut off', async () => {
    const cwd = emptyFolder();
    cpSync(await trainedRun(), join(cwd, 'run'), { recursive: true });
    const metrics = join(cwd, 'run', 'metrics.jsonl');
    writeFileSync(metrics, readFileSync(metrics, 'utf8').slice(0, -9));
    expect((await train(['--load', 'run', '--steps', '22'], { cwd })).code).toBe(0);
    expect(() =>
      readFileSync(metrics, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).not.toThrow();
  });
});

describe('the end of a process that trains', () => {
  const ended = async (end: (kill: (signal: NodeJS.Signals) => void, close: () => void) => void) => {
    const folder = join(emptyFolder(), 'run');
    let asked = 0;
    const { code } = await palimpsest(['train', 'osam', ...tiny, '--steps', '1000000', '--out', folder], {
      onStart: (child) => {
        const timer = setInterval(() => {
          const metrics = join(folder, 'metrics.jsonl');
          if (!existsSync(metrics) || !readFileSync(metrics, 'utf8').includes('"step":5')) return;
          clearInterval(timer);
          asked = Date.now();
          end(
            (signal) => child.kill(signal),
            () => child.stderr.destroy(),
          );
        }, 20);
        child.on('close', () => clearInterval(timer));
      },
    });
    return { code, seconds: (Date.now() - asked) / 1000, folder };
  };

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('saves on %s', async (signal, expected) => {
    const { code, seconds, folder } = await ended((kill) => kill(signal));
    expect(code).toBe(expected);
    expect(seconds).toBeLessThan(20);
    const events = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
    const saved = JSON.parse(readFileSync(join(folder, 'latest', 'training.json'), 'utf8'));
    expect(saved.step).toBe(JSON.parse(events.at(-1)!).step);
    expect(existsSync(join(folder, 'run.lock'))).toBe(false);
  });

  it('saves when the reader of its messages is gone', async () => {
    const { code, folder } = await ended((_, close) => close());
    expect(code).toBe(129);
    const saved = JSON.parse(readFileSync(join(folder, 'latest', 'training.json'), 'utf8'));
    expect(saved.step).toBeGreaterThanOrEqual(5);
  });

  it('keeps the last finite checkpoint when a step diverges', async () => {
    const folder = join(emptyFolder(), 'run');
    await train([...small, '--steps', '2', '--out', folder]);
    const more = ['--load', folder, '--steps', '20', '--checkpoint-every', '1', '--learning-rate', '1e38'];
    const { code, stderr } = await train(more);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: Training of 'osam' diverged in step \d+: .*; the checkpoints written before it stay\.\n$/,
    );
    const { code: again } = await train(['--load', folder, '--steps', '3']);
    expect(again).toBe(0);
  });
});
