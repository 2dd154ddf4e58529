import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { standardRegistry } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { verbsOf } from '../src/verbs/index.js';
import { commandLinePage } from './support/command-line-page.js';

const readme = fileURLToPath(new URL('../../../README.md', import.meta.url));

describe('README.md', () => {
  it('has a row per mechanism', async () => {
    const rows = standardRegistry.mechanisms.map(
      ({ name, title, memory, description }) => `| ${title} | \`${name}\` | ${memory} | ${description} |`,
    );
    const table = ['| mechanism | name | memory | what it is |', '| --- | --- | --- | --- |', ...rows].join(
      '\n',
    );
    const [before, rest] = readFileSync(readme, 'utf8').split(/(?<=<!-- mechanisms:.*-->\n)/) as [
      string,
      string,
    ];
    const after = rest.slice(rest.indexOf('<!-- /mechanisms -->'));
    await expect(`${before}${table}\n${after}`).toMatchFileSnapshot(readme);
  });
});

describe('docs/command-line.md', () => {
  it('says what the flags are', async () => {
    await expect(commandLinePage(verbsOf(standardRegistry))).toMatchFileSnapshot(
      '../../../docs/command-line.md',
    );
  });
});
