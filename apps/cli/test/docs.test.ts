import { describe, expect, it } from 'vitest';
import { verbs } from '../src/verbs/index.js';
import { commandLinePage } from './support/command-line-page.js';

describe('docs/command-line.md', () => {
  it('says what the flags are', async () => {
    await expect(commandLinePage(verbs)).toMatchFileSnapshot('../../../docs/command-line.md');
  });
});
