// Programs that some tests need and npm cannot bring. `node scripts/services.mjs` installs the missing ones from
// Debian's or Ubuntu's packages, as root, and says what it does.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { workspaces } from './workspaces.mjs';

/** Kinds of tests, in `test/services/<name>` of any package, with the program that they need, under any of its names. */
const services = [
  {
    name: 'redis',
    title: 'Tests with a Redis server',
    programs: ['redis-server'],
    debianPackage: 'redis-server',
  },
  {
    name: 'browser',
    title: 'Tests with a browser',
    programs: ['chromium', 'chromium-browser', 'google-chrome'],
    debianPackage: 'chromium',
  },
]
  .map((service) => ({ ...service, members: membersWith(service.name) }))
  .filter(({ members }) => members.length > 0);

function membersWith(name) {
  return workspaces(['packages', 'apps', 'tests']).filter(({ folder }) =>
    existsSync(join(folder, 'test', 'services', name)),
  );
}

function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Every kind of tests, the workspaces that have some, and whether the program is here. */
export function serviceTests() {
  return services.map((service) => ({ ...service, available: service.programs.some(isOnPath) }));
}

function installMissing() {
  const packages = serviceTests()
    .filter(({ available }) => !available)
    .map(({ debianPackage }) => debianPackage);
  if (packages.length === 0) return 0;
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo'];
  for (const command of [
    ['apt-get', 'update', '-qq'],
    ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...packages],
  ]) {
    const [program, ...args] = [...asRoot, ...command];
    console.log(`▸ ${program} ${args.join(' ')}`);
    const { status, error } = spawnSync(program, args, {
      // What apt-get prints is only of interest when it fails.
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
    if (status !== 0) {
      console.error(`${packages.join(' and ')} could not be installed${error ? ` (${error.message})` : ''}.`);
      return 1;
    }
  }
  return 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exit(installMissing());
