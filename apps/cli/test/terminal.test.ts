import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lineOf } from '../src/terminal/live-line.js';
import { plotLines } from '../src/terminal/loss-plot.js';
import { laidOut } from '../src/terminal/output.js';
import { emptyFolder, palimpsest } from './support/cli.js';
import { onTerminal } from './support/terminal.js';
import { tiny } from './support/trained.js';

const words = (lines: readonly string[]) => lines.join(' ').replace(/\s+/g, ' ');

describe('a terminal of 80 columns', () => {
  it('shows every validation and sample of a run, its loss, a plot, and what comes next', async () => {
    const flags = ['--steps', '40', '--validate-every', '10', '--sample-every', '10', '--out', 'runs/a'];
    const { code, lines } = await onTerminal(['train', 'osam', ...tiny, ...flags]);
    expect(code).toBe(0);
    const seen = words(lines);
    for (const step of [10, 20, 30, 40]) {
      expect(seen).toMatch(
        new RegExp(`step ${step}: held-out loss [\\d.]+, [\\d.]+ bits per character, [\\d.]+ % right`),
      );
      expect(seen).toContain(`step ${step}: "hello " -> "`);
    }
    expect(lines.filter((line) => line.startsWith('train ')).map((line) => line.replace(/█+/, '▇'))).toEqual([
      expect.stringMatching(/^train ▇ 40\/40 steps, [\d.]+\/s, loss \d\.\d{3}, \d+ tokens\/s/),
    ]);
    expect(lines.filter((line) => line.includes('┤'))).toHaveLength(8);
    expect(lines).toContain('  palimpsest chat runs/a');
    expect(lines).toContain('  palimpsest train osam --load runs/a --steps 80');
  });

  it.each([
    ['ls'],
    ['describe', 'osam'],
    ['describe', 'mqar'],
    ['doctor'],
    ['parity', '--system', 'kakeya', '--all'],
  ])('is wide enough for %s', async (...args: string[]) => {
    const [{ code, lines }, piped] = await Promise.all([onTerminal(args), palimpsest(args)]);
    expect(code).toBe(0);
    expect(Math.max(...piped.stdout.split('\n').map((line) => line.length))).toBeGreaterThan(80);
    // Names and words are all there, whatever their places.
    const letters = (text: string) => [...text.replace(/[\s\-░█]/g, '')].sort().join('');
    const own = letters(piped.stdout.replaceAll(/\d/g, ''));
    if (args[0] !== 'doctor' && args[0] !== 'parity')
      expect(letters(words(lines).replaceAll(/\d/g, ''))).toBe(own);
  });

  it('shows cells as they are computed, why one failed, and a table', async () => {
    const folder = emptyFolder();
    const grid = {
      tasks: [{ name: 'mqar', options: { steps: 2, batch: 2, examples: 2 } }],
      models: ['osam', 'gru'],
    };
    writeFileSync(join(folder, 'grid.json'), JSON.stringify({ ...grid, sizes: [{ width: 8, layers: 1 }] }));
    const { code, lines } = await onTerminal(['sweep', 'grid.json', '--executor', 'in-process'], folder);
    expect(words(lines)).toContain('2 cells to compute');
    expect(lines.filter((line) => line.startsWith('██'))).toEqual([
      expect.stringMatching(/2 of 2 done, 0 running, 0 failed/),
    ]);
    expect(words(lines)).toContain('2 of 2 cells done, 0 failed; folder sweep-results');
    expect(code).toBe(0);
  });
});

describe('the parts of a terminal', () => {
  it('a line of progress keeps the most needed words and never grows over its width', () => {
    const line = {
      title: 'train',
      share: 0.5,
      parts: ['5/10 steps, 2.0/s', '3 s left', 'loss 1.234', 'gradient 1'],
    };
    expect(lineOf(line, 79)).toBe(
      `train ${'█'.repeat(11)}${'░'.repeat(10)} 5/10 steps, 2.0/s, 3 s left, loss 1.234, gradient 1`,
    );
    expect(lineOf(line, 45)).toContain('5/10 steps, 2.0/s, 3 s left');
    for (let width = 1; width < 120; width++)
      expect([...lineOf(line, width)].length).toBeLessThanOrEqual(Math.max(width, 7));
    expect(lineOf({ share: 0, parts: ['a', 'b'.repeat(60)] }, 40)).toMatch(/a, b{20,}…$/);
  });

  it('text is broken between words, and signs that steer a terminal are shown', () => {
    expect(laidOut('  one two three\nfour', 9)).toBe('  one two\n    three\nfour');
    expect(laidOut('a\u001b[2Jb', 80)).toBe('a\\x1b[2Jb');
    expect(laidOut('abcdefghij', 4)).toBe('abcd\nefgh\nij');
  });

  it('a plot shows the ends of its lines, and no line without two points', () => {
    const falling = Array.from({ length: 50 }, (_, x) => ({ x, y: 50 - x }));
    const plot = plotLines([{ points: falling }, { points: [{ x: 49, y: 1 }], mark: '●' }], 40, 'steps')!;
    const rows = plot.split('\n');
    expect(rows).toHaveLength(10);
    expect(rows[0]).toMatch(/^ {2}50\.00 ┤⠙/u);
    expect(rows[7]).toMatch(/^ {2}1\.000 ┤ +.*●$/u);
    expect(rows[9]).toMatch(/^ +0 +steps +49$/);
    for (const row of rows) expect([...row].length).toBeLessThanOrEqual(40);
    expect(plotLines([{ points: [{ x: 1, y: 1 }] }], 40, 'steps')).toBeUndefined();
  });
});
