// `npm test`: install, then every check. The checks run under pnpm, so that turbo finds it on the path.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { install, pnpm, requireNode, root } from './run.mjs';

requireNode();
// A report or summary left by an earlier run must never be counted.
rmSync(join(root, 'reports'), { recursive: true, force: true });
if (!(await install())) process.exit(1);
process.exit(await pnpm(['exec', 'node', 'scripts/checks.mjs']));
