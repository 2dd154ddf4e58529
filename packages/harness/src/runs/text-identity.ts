import { createHash } from 'node:crypto';
import type { Corpus } from '@palimpsest/lm';

/** SHA-256 of a corpus: of its documents, each with its length, so that the same text cut otherwise is another one. */
export function textIdentity(corpus: Corpus): string {
  const hash = createHash('sha256');
  for (const document of corpus.documents) hash.update(`${document.length}\n`).update(document);
  return hash.digest('hex');
}
