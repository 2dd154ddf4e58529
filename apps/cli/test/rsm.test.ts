import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const tiny = ['--preset', 'shakespeare', '--hidden-size', '32', '--num-layers', '2', '--num-heads', '2'];
const short = ['--num-memory-slots', '4', '--batch', '4', '--warmup-steps', '5', '--lr', '0.01'];

describe('palimpsest train rsm', () => {
  it('trains over lanes, generates from a streamed prompt, is described, and goes on', async () => {
    const run = join(emptyFolder(), 'run');
    const flags = [...tiny, ...short, '--seq-len', '256', '--steps', '50', '--out', run, '--json'];
    const { code, stderr } = await palimpsest(['train', 'rsm', ...flags]);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const events = readFileSync(join(run, 'metrics.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const steps = events.filter(({ type }) => type === 'step');
    expect(steps[0].loss).toBeGreaterThan(2.8);
    expect(steps.at(-1).loss).toBeLessThan(1.5);
    expect(Object.keys(steps[0].telemetry)).toEqual(
      expect.arrayContaining(['gateMean', 'slotRank', 'memoryNorm']),
    );
    expect(events.find(({ type }) => type === 'validation').result.regime).toBe('streaming');

    const prompt = "hello world, it's test corpus. hello world, it's test corpus. hello";
    const reply = JSON.parse(
      (await palimpsest(['generate', run, '--prompt', prompt, '--max-new-tokens', '40', '--json'])).stdout,
    );
    const description = JSON.parse((await palimpsest(['info', run, '--json'])).stdout);
    expect(description).toMatchObject({
      model: 'rsm',
      config: { preset: 'parallel', chunkSize: 32, numMemorySlots: 4, numLayers: 2, dropout: 0 },
      training: { step: 50 },
    });
    // Memory 2 x 4 x 32, keys and values 2 x 2 x 32 x 32, pools of 4 x (32 + 2) per block, and the place in the chunk.
    expect(description.stateBytes).toBe(4 * (256 + 4096 + 272 + 1));
    expect(reply).toMatchObject({ tokens: 40, stateBytes: description.stateBytes });

    const page = join(run, 'memory.html');
    const inspected = JSON.parse(
      (await palimpsest(['inspect', run, '--text', prompt.repeat(2), '--out', page, '--json'])).stdout,
    );
    expect(inspected).toMatchObject({ tokens: 2 * prompt.length, page });
    // 134 tokens are five chunks of 32, the last one of 6.
    expect(inspected.chunks.map(({ tokens }: { tokens: number }) => tokens)).toEqual([32, 32, 32, 32, 6]);
    for (const { slotRank } of inspected.chunks) {
      for (const rank of slotRank) expect(rank >= 1 && rank <= 4).toBe(true);
    }
    const html = readFileSync(page, 'utf8');
    // Ranks, gates, two slot maps, two charts of norms, and reads of two blocks on three lines of 64 tokens.
    expect(html.match(/<svg/g)).toHaveLength(1 + 1 + 2 + 2 + 2 * 3);
    expect(html).not.toMatch(/(src|href)="(?!#part-)/);

    const resumed = await palimpsest(['train', 'rsm', '--load', run, '--steps', '52', '--json']);
    expect(JSON.parse(resumed.stdout)).toMatchObject({ step: 52, tokens: 52 * 4 * 256 });
  });

  it('reads a text in pieces that it learned from it', async () => {
    const run = join(emptyFolder(), 'run');
    const pieces = ['--tokenizer', 'sentence-piece', '--piece-vocabulary', '300', '--steps', '2'];
    const flags = [...tiny, ...short, ...pieces, '--seq-len', '32', '--out', run, '--quiet'];
    expect((await palimpsest(['train', 'rsm', ...flags])).code).toBe(0);
    const description = JSON.parse((await palimpsest(['info', run, '--json'])).stdout);
    expect(description).toMatchObject({ tokenizer: 'sentence-piece', config: { preset: 'parallel' } });
    expect(description.vocabSize).toBeGreaterThan(259 + 17);
  });

  it('refuses what does not fit together, with code 2 and one sentence', async () => {
    const errorOf = async (...args: string[]) => {
      const { code, stdout, stderr } = await palimpsest(['train', 'rsm', '--quiet', ...args]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(/^error: .*\n$/);
      return stderr;
    };
    expect(await errorOf('--hidden-size', '33')).toContain('hiddenSize 33 is odd');
    expect(await errorOf('--num-heads', '3')).toContain('cannot be split over 3 heads');
    const inspect = await palimpsest(['inspect', '/nowhere']);
    expect(inspect).toMatchObject({ code: 2, stderr: "error: There is no checkpoint folder '/nowhere'.\n" });
    expect(await errorOf('--tokenizer', 'file')).toContain('needs tokenizerPath');
    expect(await errorOf('--tokenizer', 'file', '--tokenizer-path', '/nowhere')).toContain(
      'There is no tokenizer',
    );
  });
});
