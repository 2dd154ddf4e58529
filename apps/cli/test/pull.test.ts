import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { chooseFiles } from '../src/pull/choose-files.js';
import { downloadInto } from '../src/pull/download.js';
import { type HubPlace, hubPlace, listHubFiles } from '../src/pull/hub.js';
import { emptyFolder, palimpsest } from './support/cli.js';
import { LocalHub } from './support/hub.js';

const golden = fileURLToPath(
  new URL('../../../packages/backbone/test/golden/hf/tiny-llama3/', import.meta.url),
);
const names = readdirSync(golden).filter((name) => statSync(join(golden, name)).isFile());
const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(golden, name))]));
const weights = files['model.safetensors']!;

let hub: LocalHub;
beforeAll(async () => {
  hub = await LocalHub.start({ ...files, 'README.md': Buffer.from('read me'), 'pytorch_model.bin': weights });
});
afterAll(() => hub.stop());
beforeEach(() => {
  hub.manners = {};
  hub.requests.length = 0;
});

const place = (): HubPlace => ({ ...hubPlace('owner/small', 'main', hub.url), token: undefined });
const signal = new AbortController().signal;
const options = { signal, onProgress: () => {}, pause: 1 };

/** Fetches the model into a folder. */
async function pullInto(folder: string) {
  await downloadInto(
    folder,
    chooseFiles(await listHubFiles(place(), signal), undefined, 'x'),
    place(),
    options,
  );
}

const weightRequests = () => hub.requests.filter((request) => request.startsWith('model.safetensors'));

describe('fetching', () => {
  it('takes what a model needs and nothing else, and every file is what the hub has', async () => {
    const folder = join(emptyFolder(), 'small');
    await pullInto(folder);
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
    for (const name of names) expect(readFileSync(join(folder, name)).equals(files[name]!)).toBe(true);
    expect(existsSync(`${folder}.partial`)).toBe(false);
    await expect(pullInto(folder)).rejects.toThrow('There is something at');
  });

  it('goes on where a connection broke', async () => {
    hub.manners = { breakAfter: 5000 };
    const folder = join(emptyFolder(), 'small');
    await pullInto(folder);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
    const starts = weightRequests().map((request) => Number(request.split(' ')[1]));
    expect(starts.length).toBeGreaterThan(2);
    expect(starts.every((start, index) => index === 0 || start > starts[index - 1]!)).toBe(true);
  });

  it('begins anew where a server knows no ranges', async () => {
    const folder = join(emptyFolder(), 'small');
    hub.manners = { breakAfter: 5000, breaks: 2, noRanges: true };
    await pullInto(folder);
    expect(hub.manners.breaks).toBe(0);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  });

  it('keeps nothing that has another checksum', async () => {
    hub.manners = { wrongBytes: true };
    const folder = join(emptyFolder(), 'small');
    await expect(pullInto(folder)).rejects.toThrow(/the checksum of \S+ is wrong\. It was removed/);
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(`${folder}.partial`)).toEqual([]);
    hub.manners = {};
    await pullInto(folder);
  });

  it('leaves nothing of another revision, and lets no other process in', async () => {
    const folder = join(emptyFolder(), 'small');
    hub.manners = { wrongBytes: true };
    await expect(pullInto(folder)).rejects.toThrow('checksum');
    for (const name of ['tokenizer.model', 'config.json.0123456789ab.part']) {
      writeFileSync(join(`${folder}.partial`, name), 'of another revision');
    }
    hub.manners = { slowness: 1 };
    const both = await Promise.allSettled([pullInto(folder), pullInto(folder)]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = both.find((one) => one.status === 'rejected')!;
    expect(String(refused.reason)).toContain('being downloaded into');
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
  });

  it('fetches nothing twice that is there and right', async () => {
    const folder = join(emptyFolder(), 'small');
    const chosen = chooseFiles(await listHubFiles(place(), signal), undefined, 'x');
    hub.manners = { wrongBytes: true };
    await expect(downloadInto(folder, chosen, place(), options)).rejects.toThrow('checksum');
    writeFileSync(join(`${folder}.partial`, 'model.safetensors'), weights);
    hub.manners = {};
    hub.requests.length = 0;
    await pullInto(folder);
    expect(weightRequests()).toEqual([]);
  });
});

describe('a hub that cannot be trusted', () => {
  it('gets the token, and nobody else where it says that its list goes on', async () => {
    const other = await LocalHub.start({ 'tokenizer.model': Buffer.from('x') });
    try {
      hub.manners = { token: 'hf_secret', next: `${other.url}/api/models/owner/small/tree/main` };
      const listed = await listHubFiles({ ...place(), token: 'hf_secret' }, signal);
      expect(listed.map(({ path }) => path)).toContain('tokenizer.model');
      expect(other.authorizations).toEqual([undefined]);
    } finally {
      await other.stop();
    }
  });

  it.each(['../../outside', '', 'ABC'])('states the checksum %j', async (checksum) => {
    hub.manners = { checksum };
    await expect(listHubFiles(place(), signal)).rejects.toThrow('states no size or no checksum of');
  });

  it('offers files that lie elsewhere, which are left out', async () => {
    const other = await LocalHub.start({
      '..': Buffer.from('x'),
      'a\u0000b': Buffer.from('x'),
      'C:x': Buffer.from('x'),
    });
    try {
      const elsewhere = { ...hubPlace('owner/small', 'main', other.url), token: undefined };
      expect(await listHubFiles(elsewhere, signal)).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});

describe('palimpsest pull', () => {
  const pull = (args: readonly string[], more: Parameters<typeof palimpsest>[1] = {}) =>
    palimpsest(['pull', ...args, '--endpoint', hub.url], more);

  it('goes on where it was killed, and the folder is a model', async () => {
    const cwd = emptyFolder();
    hub.manners = { slowness: 20 };
    const part = () =>
      existsSync(join(cwd, 'models/small.partial'))
        ? readdirSync(join(cwd, 'models/small.partial')).find((name) =>
            /^model\.safetensors.*\.part$/.test(name),
          )
        : undefined;
    await pull(['owner/small'], {
      cwd,
      onStart: (child) => {
        const watch = setInterval(() => {
          const name = part();
          if (!name || statSync(join(cwd, 'models/small.partial', name)).size < 3000) return;
          clearInterval(watch);
          child.kill('SIGKILL');
        }, 5);
      },
    });
    expect(part()).toBeDefined();
    hub.manners = {};
    hub.requests.length = 0;
    const again = await pull(['owner/small', '--json'], { cwd });
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ model: join('models', 'small') });
    expect(Number(weightRequests()[0]!.split(' ')[1])).toBeGreaterThanOrEqual(3000);
    const { code, stdout } = await palimpsest(['info', 'models/small'], { cwd });
    expect(code).toBe(0);
    expect(stdout).toContain('llama');
  }, 180_000);

  it.each([
    ['owner/none', {}, /has no model 'owner\/none' with the revision 'main'/],
    ['owner/small', { token: 'secret' }, /does not open 'owner\/small' to everybody: .*HF_TOKEN/],
    ['small', {}, /'small' is no name of a model; names are OWNER\/NAME/],
    ['owner/..', {}, /is no name of a model/],
  ])('%s with %o is one sentence', async (name, manners, message) => {
    hub.manners = manners;
    const { code, stderr } = await pull([name]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('gives a token that was set, to a hub named by HF_ENDPOINT', async () => {
    hub.manners = { token: 'secret' };
    const env = { HF_TOKEN: 'secret', HF_ENDPOINT: hub.url };
    const { code } = await palimpsest(['pull', 'owner/small', '--file', 'config.json'], { env });
    expect(code).toBe(0);
  });
});

describe('which files', () => {
  const of = (...paths: string[]) =>
    paths.map((path) => ({ path, size: 1, checksum: { algorithm: 'git', hex: '' } as const }));
  const chosen = (...paths: string[]) => chooseFiles(of(...paths), undefined, 'a/b').map(({ path }) => path);

  it('are those of the checkpoint, whole or in parts, or the only GGUF file', () => {
    expect(chosen('config.json', 'model.safetensors', 'model.safetensors.index.json', 'x.bin')).toEqual([
      'config.json',
      'model.safetensors',
    ]);
    const parts = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const whole = ['config.json', ...parts, 'model.safetensors.index.json'];
    expect(chosen(...whole)).toEqual(whole);
    expect(chosen('README.md', 'a.gguf')).toEqual(['a.gguf']);
  });

  it('have to be named when there are several', () => {
    expect(() => chosen('a.gguf', 'b.gguf')).toThrow(
      'holds 2 GGUF files; name one with --file: a.gguf, b.gguf.',
    );
    expect(() => chosen('config.json', 'x.bin')).toThrow('holds no model that can be read');
    expect(() => chooseFiles(of('a.gguf'), ['c.gguf'], 'a/b')).toThrow(
      "has no file 'c.gguf'; it has a.gguf.",
    );
  });
});
