import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the golden cases that ship with this package: those of every mechanism's own tests. */
export function embeddedGoldenFolder(): string {
  return join(dirname(fileURLToPath(import.meta.url)), 'golden');
}
