// Programs that some tests need and npm cannot bring. `node scripts/services.mjs` installs the missing ones from
// Debian's or Ubuntu's packages, as root, and says what it does.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { workspaces } from './workspaces.mjs';

const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];

/**
 * Kinds of tests, in `test/services/<name>` of any package, with the program that they need, under any of its names, and a
 * script that says whether the program has what they need. What no Debian package brings is never required.
 */
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
    programs: BROWSERS,
    debianPackage: 'chromium',
  },
  {
    name: 'webgpu',
    title: 'Tests with WebGPU',
    programs: BROWSERS,
    debianPackage: 'chromium',
    examine: 'graphics-adapter.mjs',
  },
  {
    name: 'kernels',
    title: 'Tests of kernels that decode transformers',
    programs: ['node'],
    examine: 'byte-products.mjs',
  },
]
  .map((service) => ({ ...service, members: membersWith(service.name) }))
  .filter(({ members }) => members.length > 0);

function membersWith(name) {
  return workspaces(['packages', 'apps', 'tests']).filter(({ folder }) =>
    existsSync(join(folder, 'test', 'services', name)),
  );
}

function findOnPath(program) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const findProgram = ({ programs }) => programs.map(findOnPath).find((path) => path !== undefined);

/** Why tests cannot run here; nothing when they can. */
function obstacle(service) {
  const program = findProgram(service);
  if (!program) return `${service.programs[0]} is not installed; \`node scripts/services.mjs\` installs it`;
  if (!service.examine) return undefined;
  const script = fileURLToPath(new URL(service.examine, import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, program], { encoding: 'utf8' });
  return status === 0 ? undefined : (stdout.trim() || stderr.trim()).split('\n')[0];
}

/** Every kind of tests, the workspaces that have some, and what keeps them from running here, if anything does. */
export function serviceTests() {
  return services.map((service) => ({ ...service, obstacle: obstacle(service) }));
}

function installMissing() {
  const missing = services.filter((service) => service.debianPackage && !findProgram(service));
  const packages = [...new Set(missing.map(({ debianPackage }) => debianPackage))];
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
