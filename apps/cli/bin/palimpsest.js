#!/usr/bin/env node
// Stands beside dist/ so that installing a fresh clone can link the command before anything is built.
import { existsSync } from 'node:fs';

/** Ctrl-C while the program is loaded, which takes up to a second: there is nothing to save. The program listens anew. */
process.once('SIGINT', () => {
  process.stderr.write('interrupted\n');
  process.exit(130);
});

const program = new URL('../dist/main.js', import.meta.url);
if (existsSync(program)) {
  await import(program.href);
} else {
  process.stderr.write('error: Palimpsest is not built yet; `npm start` or `pnpm build` does it.\n');
  process.exitCode = 2;
}
