import { standardRegistry } from '@palimpsest/harness';
import { describe, expect, it } from 'vitest';
import { verbsOf } from '../src/verbs/index.js';
import { commandLinePage } from './support/command-line-page.js';

describe('docs/command-line.md', () => {
  it('says what the flags are', async () => {
    await expect(commandLinePage(verbsOf(standardRegistry))).toMatchFileSnapshot(
      '../../../docs/command-line.md',
    );
  });
});
