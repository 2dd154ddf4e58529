import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';
import { tiny, trainedRun } from './support/trained.js';

/** Whole lines only: the last one may be about to be written. */
const metricsOf = (folder: string) =>
  readFileSync(join(folder, 'metrics.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('palimpsest train osam', () => {
  it('writes a run folder and learns the text', async () => {
    const folder = join(emptyFolder(), 'run');
    const flags = ['--steps', '120', '--lr', '0.01', '--out', folder, '--json'];
    const { code, stdout, stderr } = await palimpsest(['train', 'osam', ...tiny, ...flags]);
    expect(code).toBe(0);
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({ model: 'osam', step: 120, folder, checkpoint: join(folder, 'latest') });
    const steps = metricsOf(folder).filter(({ type }) => type === 'step');
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 120 }, (_, index) => index + 1));
    expect(steps[0].loss).toBeGreaterThan(2);
    expect(summary.validation.bitsPerCharacter).toBeLessThan(1.5);
    expect(readFileSync(join(folder, 'curve.svg'), 'utf8')).toContain('held-out');
    expect(existsSync(join(folder, 'best', 'model.safetensors'))).toBe(true);
    expect(stderr).toMatch(/^train: 120\/120 steps \(100 %\), .*\/s.*, loss /m);
    expect(stderr).toMatch(/^step 50: "hello " -> "/m);
  });

  it('resumes exactly: 10 + 10 steps end in the same parameters as 20', async () => {
    const whole = await trainedRun('--schedule', 'constant');
    const half = join(emptyFolder(), 'half');
    const constant = ['--schedule', 'constant', '--quiet'];
    await palimpsest(['train', 'osam', ...tiny, ...constant, '--steps', '10', '--out', half]);
    const { code } = await palimpsest(['train', 'osam', '--load', half, '--steps', '20', '--quiet']);
    expect(code).toBe(0);
    const parameters = (folder: string) => readFileSync(join(folder, 'latest', 'model.safetensors'));
    expect(parameters(half).equals(parameters(whole))).toBe(true);
    expect(metricsOf(half).filter(({ type }) => type === 'step')).toHaveLength(20);
  });

  it('takes the spellings of the reference, and says once what has no meaning here', async () => {
    const flags = [
      '--no_valpath',
      '--freeze_phase',
      '--kupdate',
      '2',
      '--freq_cache',
      '--label_smoothing=0.1',
    ];
    const inert = ['--amp', 'bf16', '--cufft_max_plans', '2', '--no_warmup_plans', '--telemetry_stride', '2'];
    const folder = join(emptyFolder(), 'run');
    const small = [
      ...tiny,
      '--steps',
      '3',
      '--save',
      folder,
      '--preset',
      'reference',
      '--max_new_tokens',
      '4',
    ];
    const { code, stderr } = await palimpsest(['train', 'osam', ...small, ...flags, ...inert]);
    expect(code).toBe(0);
    expect(stderr.match(/^note: /gm)).toHaveLength(3);
    const config = JSON.parse(readFileSync(join(folder, 'latest', 'config.json'), 'utf8'));
    expect(config.model.config).toMatchObject({
      mode: 'parity',
      dModel: 16,
      sketchDim: 32,
      readoutHidden: 8,
      enableValuePath: false,
      kUpdate: 2,
      freqCache: true,
      telemetryStride: 2,
    });
    expect(config.notes.frozen).toEqual(['phase']);
    const [{ settings }] = metricsOf(folder);
    expect(settings).toMatchObject({ labelSmoothing: 0.1, schedule: 'constant', decayed: 'all' });
  });

  it('saves and ends with code 130 on Ctrl-C, and can go on', async () => {
    const folder = join(emptyFolder(), 'run');
    const { code } = await palimpsest(['train', 'osam', ...tiny, '--steps', '100000', '--out', folder], {
      onStart: (child) => {
        const timer = setInterval(() => {
          if (existsSync(join(folder, 'metrics.jsonl')) && metricsOf(folder).length > 3) {
            clearInterval(timer);
            child.kill('SIGINT');
          }
        }, 50);
        child.on('close', () => clearInterval(timer));
      },
    });
    expect(code).toBe(130);
    const done = metricsOf(folder).filter(({ type }) => type === 'step').length;
    const resumed = await palimpsest([
      'train',
      'osam',
      '--load',
      folder,
      '--steps',
      String(done + 2),
      '--json',
    ]);
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.stdout).step).toBe(done + 2);
  });

  it('tells what a tokenizer says of itself, and which characters of the text it does not know', async () => {
    const cwd = emptyFolder();
    const tokenizer = {
      model: { type: 'BPE', vocab: { '?': 0, a: 1, b: 2, ' ': 3 }, merges: [], unk_token: '?' },
      truncation: { direction: 'Right', strategy: 'LongestFirst', stride: 0, max_length: 500 },
    };
    writeFileSync(join(cwd, 'tokenizer.json'), JSON.stringify(tokenizer));
    writeFileSync(join(cwd, 'text.txt'), `${'a b '.repeat(80)}日本`);
    const flags = [...tiny.slice(0, -2), '--text-path', 'text.txt', '--steps', '1', '--out', 'run'];
    const file = ['--tokenizer', 'file', '--tokenizer-path', 'tokenizer.json'];
    const { code, stderr } = await palimpsest(['train', 'osam', ...flags, ...file], { cwd });
    expect(code).toBe(0);
    expect(stderr.split('\n').filter((line) => line.startsWith('warning: '))).toEqual([
      expect.stringContaining('texts are cut to 500 tokens'),
      expect.stringMatching(/^warning: The text has characters .*"日", "本"\.$/),
    ]);
  });

  it.each([
    ['both --text-path and --dataset', '--text-path x.txt --dataset default'],
    ['--tokenizer-path is for --tokenizer file', '--tokenizer-path tokenizer.json'],
    ['--bpe-vocabulary is for --tokenizer bpe', '--tokenizer byte --bpe-vocabulary 300'],
    ['--character-coverage is for --tokenizer sentence-piece', '--character-coverage 1'],
  ])('refuses what would change nothing: %s', async (message, flags) => {
    const { code, stderr } = await palimpsest(['train', 'osam', ...flags.split(' ')]);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });

  it('refuses what cannot be, with code 2 and one sentence', async () => {
    const folder = await trainedRun();
    const cwd = emptyFolder();
    writeFileSync(join(cwd, 'short.txt'), 'short');
    const errorOf = async (...args: string[]) => {
      const { code, stdout, stderr } = await palimpsest(['train', 'osam', '--quiet', ...args], { cwd });
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^error: .*\n$/);
      return stderr;
    };
    expect(await errorOf('--out', folder)).toContain('holds a run already');
    expect(await errorOf('--no-train')).toContain('--no-train needs --load');
    expect(await errorOf('--load', 'nowhere')).toContain("no checkpoint folder 'nowhere'");
    expect(await errorOf('--text-path', 'nowhere.txt')).toContain("'nowhere.txt'");
    expect(await errorOf('--text-path', 'short.txt')).toContain('short');
    expect(await errorOf('--d', '0')).toContain('--d-model');
    expect(await errorOf('--dataset', 'stories', '--heads', '3')).toContain('heads');
  });

  it('generates without training when asked, as the reference does', async () => {
    const folder = await trainedRun();
    const flags = ['--no_train', '--load', folder, '--prompt', 'hello', '--max_new_tokens', '12', '--greedy'];
    const { code, stdout } = await palimpsest(['train', 'osam', ...flags]);
    expect(code).toBe(0);
    expect(stdout.startsWith('hello')).toBe(true);
    expect(stdout.trimEnd().length).toBeLessThanOrEqual(17);
    const lines = await palimpsest(
      ['train', 'osam', '--no_train', '--load', folder, '--interactive', '--greedy'],
      {
        input: '\nhello\n',
      },
    );
    expect(lines.code).toBe(0);
    expect(lines.stdout.match(/>> /g)).toHaveLength(3);
  });
});
