// `pnpm build:site [--base /folder/] [--no-reference]`: the whole site in apps/docs/dist.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from 'vitepress';
import { gather } from './gather.mjs';

const { values } = parseArgs({
  options: {
    base: { type: 'string', default: '/' },
    out: { type: 'string', default: 'dist' },
    'no-reference': { type: 'boolean', default: false },
  },
});
if (!/^\/(.*\/)?$/.test(values.base)) {
  console.error(
    `--base is the folder of the site on its server, such as /docs/, but '${values.base}' was given.`,
  );
  process.exit(2);
}
const home = join(import.meta.dirname, '..');
process.chdir(home);
process.env.PALIMPSEST_SITE_BASE = values.base;
process.env.PALIMPSEST_SITE_OUT = values.out;

rmSync(join(home, 'pages'), { recursive: true, force: true });
if (!values['no-reference']) {
  const typedoc = join(home, 'node_modules/typedoc/bin/typedoc');
  execFileSync(process.execPath, [typedoc], { cwd: home, stdio: 'inherit' });
}
gather();
await build(home);
const playground = join(home, '../playground/dist');
if (existsSync(playground)) cpSync(playground, resolve(home, values.out, 'playground'), { recursive: true });
