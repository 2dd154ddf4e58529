// `npm start`: install, build, then the quick profile: every mechanism, small, on embedded data. What is finished in
// palimpsest-report/ is not computed again.
import { install, pnpm, requireNode, run, step } from './run.mjs';

requireNode();
if (!(await install())) process.exit(1);
if (
  !(await step('Build every package', () =>
    pnpm(['exec', 'turbo', 'run', 'build', '--output-logs=hash-only']),
  ))
) {
  process.exit(1);
}
console.log(
  '\n▸ palimpsest eval --profile quick (minutes; Ctrl-C saves what is finished, and the next run goes on)',
);
process.exit(
  await run(process.execPath, [
    'apps/cli/dist/main.js',
    'eval',
    '--profile',
    'quick',
    ...process.argv.slice(2),
  ]),
);
