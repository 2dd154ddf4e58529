// `pnpm run release <address>`, in a checkout that nobody keeps: publishes every package whose version the registry lacks.
import { pnpm, run } from './run.mjs';

const code = await run('node', ['scripts/stamp-repository.mjs', ...process.argv.slice(2)]);
process.exit(code === 0 ? await pnpm(['exec', 'changeset', 'publish']) : code);
