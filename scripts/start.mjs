// `npm start`: install, build, then the quick evaluation of every mechanism on embedded data.
import { install, pnpm, requireNode, run, step } from './run.mjs';

requireNode();
if (!(await install())) process.exit(1);
if (
  !(await step('Build every package', () =>
    pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=errors-only']),
  ))
) {
  process.exit(1);
}
console.log('\n▸ palimpsest eval --quick');
process.exit(
  await run(process.execPath, ['apps/cli/dist/main.js', 'eval', '--quick', ...process.argv.slice(2)]),
);
