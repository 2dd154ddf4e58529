import type { CachePolicy } from './policy.js';

/** Forgets nothing: the cache grows with the text. */
export const fullPolicy = (): CachePolicy => ({
  name: 'full',
  config: { policy: 'full' },
  needs: { rows: 0, queries: false },
  retention: { kind: 'everything' },
});
