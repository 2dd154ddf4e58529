import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { repositoryRoot } from './support/workspaces.js';

const folder = join(repositoryRoot, '.github', 'workflows');
const { scripts } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));

interface Step {
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

describe.each(readdirSync(folder))('the workflow %s', (file) => {
  const workflow = parse(readFileSync(join(folder, file), 'utf8'));
  const steps: Step[] = Object.values<{ steps: Step[] }>(workflow.jobs).flatMap((job) => job.steps);
  const commands = [...steps.map(({ run }) => run ?? ''), ...published(steps)];

  it('runs files and scripts that are there', () => {
    expect(commands.join('')).not.toBe('');
    for (const [, path] of commands.join('\n').matchAll(/(?:^|\s)((?:scripts|tests)\/[\w./-]+)/g))
      expect(existsSync(join(repositoryRoot, path!)), path).toBe(true);
    for (const [, name] of commands.join('\n').matchAll(/(?:pnpm|npm) run ([\w:]+)/g))
      expect(scripts, name).toHaveProperty([name!]);
  });

  it('may do no more than it has to', () => {
    expect(workflow.permissions).toBeDefined();
  });
});

/** What the action of changesets is told to run. */
function published(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => Object.values(step.with ?? {}).map(String));
}
