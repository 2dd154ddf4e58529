import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { mutateBytes, mutateJson, mutateSafetensors, spoilNumbers } from './mutations.mjs';

const dist = (name) => import(new URL(`../../packages/${name}/dist/index.js`, import.meta.url).href);
const inPackages = (path) => fileURLToPath(new URL(`../../packages/${path}`, import.meta.url));
const [base, lm, core, harness, backbone, geometry, kakeya] = await Promise.all(
  ['base', 'lm', 'tensor-core', 'harness', 'backbone', 'fiber-geometry', 'kakeya'].map(dist),
);

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));
const mutateText = (bytes, random) =>
  Buffer.from(JSON.stringify(mutateJson(JSON.parse(bytes), random)) ?? '');

/** What must hold of a thing that was read: a sentence when it does not. */
const holds = (condition, sentence) => (condition ? undefined : sentence);

/** A checkpoint of a small model of every architecture, with a tokenizer and the state of an optimiser. */
async function makeCheckpoints(folder) {
  const tokenizer = lm.CharacterTokenizer.fromText('abcdefgh .\n');
  for (const architecture of harness.standardRegistry.architectures) {
    const { name } = architecture;
    const model = architecture.create(tokenizer.vocabSize, SMALL[name] ?? CONTROL);
    const params = model.init(base.Rng.fromSeed(1));
    const training = { progress: { step: 1 }, optimizer: core.adamw().init(params) };
    await lm.saveCheckpoint(join(folder, name), { model, params, tokenizer, training });
  }
}
/** The options of the controls. An architecture that has others refuses these, until it is named below. */
const CONTROL = { width: 16, layers: 1 };
const SMALL = {
  osam: { dModel: 4, sketchDim: 4, readoutHidden: 4, layers: 1 },
  rsm: { hiddenSize: 4, numLayers: 1, numHeads: 1, numMemorySlots: 2, windowSize: 4 },
  'om-arc': { dimInput: 4, dimHidden: 4, numLayers: 1, numHeads: 1, segmentLen: 4, stateLen: 2 },
  transformer: { layers: 1, heads: 1, modelWidth: 4, mlpWidth: 4, context: 8 },
};

/** Changes a file of a checkpoint, mostly with the checksums of config.json made right again. */
function damageCheckpoint(folder, random) {
  const name = random.pick([
    'config.json',
    'config.json',
    'model.safetensors',
    'optimizer.safetensors',
    'tokenizer.json',
    'training.json',
  ]);
  const path = join(folder, name);
  const bytes = readFileSync(path);
  const isRaw = random.int(3) === 0;
  const change = name.endsWith('.json') ? mutateText : random.pick([mutateSafetensors, spoilNumbers]);
  const changed = isRaw ? mutateBytes(bytes, random) : change(bytes, random);
  writeFileSync(path, changed);
  if (isRaw || name === 'config.json') {
    // Half of the changed configurations lose the checksum of themselves, as files by hand have none.
    if (name === 'config.json' && !isRaw && random.int(2) === 0) dropChecksum(path);
    return;
  }
  const config = readJson(join(folder, 'config.json'));
  config.files[name] = { bytes: changed.length, sha256: sha256(changed) };
  delete config.checksum;
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
}

function dropChecksum(path) {
  const config = readJson(path);
  if (typeof config !== 'object' || config === null) return;
  delete config.checksum;
  writeFileSync(path, JSON.stringify(config));
}

/** What was read from a checkpoint is a model with finite parameters of its own shapes. */
function checkCheckpoint({ model, params, tokenizer, training }) {
  const wanted = base.treeLeaves(model.init(base.Rng.fromSeed(0)));
  const given = new Map(base.treeLeaves(params).map(({ path, leaf }) => [path, leaf]));
  const same = wanted.every(({ path, leaf }) => `${given.get(path)?.shape}` === `${leaf.shape}`);
  return (
    holds(same && given.size === wanted.length, 'parameters of another model are accepted') ??
    holds(lm.firstNonFinite(params) === undefined, 'parameters that are no numbers are accepted') ??
    holds(
      lm.firstNonFinite(training?.optimizer ?? {}) === undefined,
      'an optimiser that holds no numbers is accepted',
    ) ??
    holds(
      (tokenizer?.vocabSize ?? 0) <= model.vocabSize,
      'a tokenizer with more ids than the model is accepted',
    )
  );
}

const TEXT = 'The cat, 12 – ab\tc <mask> é日本 ½ don\u2019t\n';

/** A tokenizer that was read encodes a text to ids of its own, and decodes them. */
function checkTokenizer(tokenizer) {
  let ids;
  try {
    ids = tokenizer.encode(TEXT);
  } catch (error) {
    // A vocabulary without an unknown token says so when it needs one.
    if (error instanceof base.PalimpsestError) return undefined;
    throw error;
  }
  tokenizer.decode(ids);
  return holds(
    ids.every((id) => id >= 0 && id < tokenizer.vocabSize),
    'ids outside of the vocabulary',
  );
}

const damageFile = (mutate) => (path, random) => {
  const bytes = readFileSync(path);
  writeFileSync(path, random.int(3) === 0 ? mutateBytes(bytes, random) : mutate(bytes, random));
};

/** The JSON in the metadata of a kakeya file changes, and its checksum with it. */
function mutateKakeya(bytes, random) {
  const { tensors, metadata } = base.decodeSafetensors(bytes);
  const json = JSON.stringify(mutateJson(JSON.parse(metadata.json), random)) ?? 'null';
  let sum = crc32(Buffer.from(json));
  for (const name of [...tensors.keys()].sort()) {
    const tensor = tensors.get(name);
    // The checksum is over what half floats stand for.
    const { data } = tensor.dtype === 'F16' ? base.toNDArray(tensor) : tensor;
    sum = crc32(
      Buffer.from(`${sum} ${name} ${crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))}`),
    );
  }
  return Buffer.from(
    base.encodeSafetensors(Object.fromEntries(tensors), { ...metadata, json, checksum: String(sum) }),
  );
}

/** entries.json of a memory store changes, and the checksum with it. */
function mutateStore(bytes, random) {
  const { tensors, metadata } = base.decodeSafetensors(bytes);
  const record = Object.fromEntries(tensors);
  const json = mutateText(Buffer.from(record['entries.json'].data), random);
  record['entries.json'] = { dtype: 'U8', shape: [json.length], data: new Uint8Array(json) };
  let hash = 0x811c9dc5;
  const mix = (part) => {
    for (const byte of part) hash = Math.imul(hash ^ byte, 0x01000193);
  };
  for (const name of Object.keys(record).sort()) {
    const { data, shape } = record[name];
    mix(Buffer.from(`${name}[${shape.join()}]`));
    mix(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const checksum = (hash >>> 0).toString(16).padStart(8, '0');
  return Buffer.from(base.encodeSafetensors(record, { ...metadata, checksum }));
}

const KEY = '0'.repeat(64);

/** Everything that is read: good files, how they are damaged, how they are read, and what holds of what was read. */
export const subjects = {
  checkpoint: {
    share: 6,
    make: makeCheckpoints,
    damage: (folder, random) =>
      damageCheckpoint(join(folder, random.pick(readdirSync(folder).sort())), random),
    read: async (folder) => {
      for (const name of readdirSync(folder)) {
        const wrong = checkCheckpoint(await harness.openCheckpoint(join(folder, name)));
        if (wrong) return wrong;
      }
    },
  },
  tokenizer: {
    share: 5,
    make: (folder) => {
      const { models, cases } = readJson(inPackages('lm/test/golden/tokenizers/components.json'));
      cases.slice(0, 40).forEach(({ model, parts }, index) => {
        writeFileSync(join(folder, `${index}.json`), JSON.stringify({ ...parts, model: models[model] }));
      });
    },
    one: true,
    damage: damageFile(mutateText),
    read: (path) => checkTokenizer(lm.readTokenizer(path)),
  },
  safetensors: {
    share: 3,
    make: (folder) => {
      const tensors = {
        w: base.fromNDArray(base.ndarray([1, 2, 3, 4], [2, 2])),
        h: base.fromNDArray(base.ndarray([1, 2]), 'F16'),
      };
      tensors.ids = { dtype: 'I64', shape: [2], data: BigInt64Array.of(1n, 2n) };
      writeFileSync(join(folder, 'a.safetensors'), base.encodeSafetensors(tensors, { a: 'b' }));
    },
    one: true,
    damage: damageFile(mutateSafetensors),
    read: (path) => {
      const { tensors } = base.decodeSafetensors(readFileSync(path), path);
      for (const [name, tensor] of tensors) base.toNDArray(tensor, `${path}: ${name}`);
    },
  },
  folder: {
    share: 3,
    make: (folder) => {
      for (const name of ['tiny-gpt2', 'tiny-llama3'])
        cpSync(inPackages(`backbone/test/golden/hf/${name}`), join(folder, name), { recursive: true });
    },
    damage: (folder, random) => {
      const place = join(folder, random.pick(['tiny-gpt2', 'tiny-llama3']));
      const name = random.pick(['config.json', 'config.json', 'model.safetensors', 'tokenizer.json']);
      damageFile(name.endsWith('.json') ? mutateText : mutateSafetensors)(join(place, name), random);
    },
    read: async (folder) => {
      for (const name of readdirSync(folder)) {
        const { tokenizer } = await backbone.loadPretrained(join(folder, name), { capacity: 8 });
        const wrong = tokenizer && checkTokenizer(tokenizer);
        if (wrong) return wrong;
      }
    },
  },
  memoryStore: {
    share: 1,
    make: async (folder) => {
      const store = new geometry.MemStore({
        dTime: 4,
        dFTime: 2,
        dTopic: 4,
        dFTopic: 2,
        dCtx: 4,
        dFCtx: 2,
        capacity: 10,
      });
      for (const mid of [0, 1, 2]) {
        const entry = { sourceText: `entry ${mid}`, contentTokenIds: [mid] };
        for (const bundle of ['time', 'topic', 'ctx']) {
          Object.assign(entry, {
            [`${bundle}Base`]: [0, 0, 1, mid],
            [`${bundle}Fiber`]: [1, mid],
            [`${bundle}Dirn`]: [1, 0, 0, 0],
          });
        }
        store.add(entry);
      }
      await store.save(join(folder, 'store'));
    },
    one: true,
    damage: damageFile(mutateStore),
    read: async (path) => void (await geometry.MemStore.load(path)),
  },
  compressedStore: {
    share: 1,
    make: async (folder) => {
      const store = new kakeya.CompressedStore({ dimension: 4 });
      const rng = base.Rng.fromSeed(3);
      for (let id = 0; id < 40; id++) store.set(id, rng.normalArray([4]).data);
      await store.save(join(folder, 'store'));
    },
    one: true,
    damage: damageFile(mutateKakeya),
    read: async (path) => void (await kakeya.CompressedStore.load(path.replace(/\.kakeya$/, ''))),
  },
  result: {
    share: 1,
    make: (folder) => {
      mkdirSync(join(folder, 'cells'));
      const path = join(folder, 'cells', `${KEY}.json`);
      writeFileSync(
        path,
        JSON.stringify({ format: 'palimpsest-cell', version: 1, key: KEY, status: 'failed' }),
      );
    },
    damage: (folder, random) => damageFile(mutateText)(join(folder, 'cells', `${KEY}.json`), random),
    read: async (folder) => void (await (await harness.ResultStore.openExisting(folder)).list()),
  },
};

export const isOurs = (error) =>
  error instanceof base.PalimpsestError ||
  ['InputError', 'KakeyaError', 'PalimpsestError'].includes(error?.name);

/** A fresh copy of a subject's good files, in place of what a former input left. */
export function copyOf(source, target) {
  rmSync(target, { recursive: true, force: true });
  cpSync(source, target, { recursive: true });
}
