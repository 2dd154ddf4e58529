// Every check of the repository in order of cost. The closing line counts tests from the runners' own reports,
// and each other step (build, types, lint, dead code) as one check.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { countReport } from './count.mjs';
import { root, run, step } from './run.mjs';
import { serviceTests } from './services.mjs';
import { workspaces } from './workspaces.mjs';

const rows = [];
/** Tests that count neither as passed nor as failed, and why. */
const notRun = [];
const turbo = (...args) => run('turbo', ['run', ...args, '--output-logs=new-only', '--concurrency=2']);

async function check(title, action) {
  const passed = await step(title, action);
  rows.push({ name: title, passed: passed ? 1 : 0, failed: passed ? 0 : 1, notes: [] });
  return passed;
}

function finish() {
  const width = Math.max(...rows.map(({ name }) => name.length));
  console.log('');
  for (const { name, passed, failed, notes } of rows) {
    const note = notes.length > 0 ? `  (${notes.join('; ')})` : '';
    console.log(`${failed > 0 ? '✗' : '✓'} ${name.padEnd(width)}  ${passed} passed, ${failed} failed${note}`);
  }
  for (const reason of notRun) console.log(`- ${reason}`);
  const passed = rows.reduce((sum, row) => sum + row.passed, 0);
  const failed = rows.reduce((sum, row) => sum + row.failed, 0);
  mkdirSync(join(root, 'reports'), { recursive: true });
  writeFileSync(join(root, 'reports', 'summary.txt'), `${passed} passed, ${failed} failed\n`);
  console.log(`\n${passed} passed, ${failed} failed`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

const members = workspaces();
for (const { folder } of members) rmSync(join(folder, 'reports'), { recursive: true, force: true });

if (!(await check('Build', () => turbo('build')))) finish();
await check('Types', () => turbo('types', 'types:root', '--continue'));
await check('Lint and format (biome)', () => run('biome', ['ci', '.']));
await check('Dead code and dependencies (knip)', () => run('knip', ['--no-progress']));

const testsRan = await step('Tests of every package', () => turbo('test', '--continue'));
for (const { folder, manifest } of members) {
  rows.push(countReport(manifest.name, join(folder, 'reports', 'vitest.json')));
}
let servicesRan = true;
for (const { name, title, members, obstacle, debianPackage } of serviceTests()) {
  if (obstacle === undefined) for (const member of members) await runServiceTests(name, title, member);
  else {
    const reason = `${title}: not run, ${obstacle}`;
    if (debianPackage && process.env.PALIMPSEST_SERVICES === 'required')
      rows.push({ name: title, passed: 0, failed: 1, notes: [reason] });
    else notRun.push(reason);
  }
}

async function runServiceTests(name, title, { folder, manifest }) {
  const report = join(folder, 'reports', `${name}.json`);
  const flags = [
    '--config',
    'vitest.services.config.ts',
    '--outputFile.json',
    report,
    `test/services/${name}`,
  ];
  const heading = `${title}, ${manifest.name}`;
  servicesRan = (await step(heading, () => run('vitest', ['run', ...flags], { cwd: folder }))) && servicesRan;
  rows.push(countReport(heading, report));
}

// A tenth of what the script does by itself: 20 kills of every mechanism that trains.
await check('Runs survive kills (scripts/kill-runs.mjs)', () => run('node', ['scripts/kill-runs.mjs', '20']));

const repositoryRan = await step('Tests of the repository', () => turbo('test:repository'));
rows.push(countReport('repository', join(root, 'reports', 'vitest.json')));
// A runner that ends badly after writing a clean report (a leak, a crash on exit) is still a failure.
const clean = rows.every(({ failed }) => failed === 0);
if (clean && !(testsRan && servicesRan && repositoryRan)) {
  rows.push({ name: 'Test runners', passed: 0, failed: 1, notes: ['a runner failed after its report'] });
}
finish();
