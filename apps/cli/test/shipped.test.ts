import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

describe('models that ship', () => {
  it('are listed, and taken by name wherever a run is', async () => {
    const listed = JSON.parse((await palimpsest(['ls', 'shipped', '--json'])).stdout);
    expect(listed.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['osam', 'session']),
    );

    const flags = ['--prompt', 'ROMEO:', '--max-new-tokens', '12', '--json'];
    const { code, stdout } = await palimpsest(['generate', 'osam', ...flags]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ prompt: 'ROMEO:', tokens: 12, stateBytes: 32_260 });

    const described = await palimpsest(['info', 'om-arc']);
    expect(described.stdout).toContain('om-arc');
  });

  it('talk at once', async () => {
    const chat = (model: string) =>
      palimpsest(['chat', model, '--max-new-tokens', '5'], { input: 'What is it?\n', cwd: emptyFolder() });
    for (const model of ['osam', 'session']) {
      const { code, stdout, stderr } = await chat(model);
      expect(code).toBe(0);
      expect(stdout.trim().length).toBeGreaterThan(3);
      expect(stderr).toMatch(/bytes of memory/);
    }
  });

  it('are no folders: a name that nobody has is refused', async () => {
    const { code, stderr } = await palimpsest(['generate', 'no-such-model']);
    expect(code).toBe(2);
    expect(stderr).toContain("There is no checkpoint folder 'no-such-model'");
  });
});
