import { canonicalJson, InputError, nodeModule, parseJson, readRegularFile } from '@palimpsest/base';
import { z } from 'zod';
import { countParameters } from '../model-size.js';
import type { AnySequenceModel, JsonObject, JsonValue } from '../sequence-model.js';
import { restoreTokenizer } from '../tokenizers/restore-tokenizer.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { currentFolder, writeFolderAtomically } from './atomic-folder.js';
import { checkOptimizer, checkParameters, modelOf, type Torn } from './check-arrays.js';
import { firstNonFinite } from './finite.js';
import { decodeTree, encodeTree, skeletonOf } from './tree-files.js';
import { whileReplaced } from './while-replaced.js';

const FORMAT = 'palimpsest-checkpoint';
/** Version of the folder's layout that this program writes and reads. */
export const CHECKPOINT_VERSION = 1;
const CONFIG = 'config.json';

/** What a training run needs besides parameters to go on exactly where it stopped. */
export interface TrainingRecord {
  /** Steps done, settings, random numbers, place in the data: see the training loop. */
  readonly progress: JsonObject;
  /** Optimiser state on the host. */
  readonly optimizer: unknown;
  /** Memory that is carried to the next batch, when it is. */
  readonly memory?: unknown;
}

export interface CheckpointContents {
  readonly model: Pick<AnySequenceModel, 'name' | 'config'>;
  /** Parameters on the host. */
  readonly params: unknown;
  readonly tokenizer?: Tokenizer | undefined;
  readonly training?: TrainingRecord;
  /** Anything else worth keeping: results, the name of the text. */
  readonly notes?: JsonObject | undefined;
  /** `F16` rounds the parameters to 16 bits, for models that are handed on and not trained further. Default: all 32 */
  readonly storage?: 'F16' | undefined;
}

/** A checkpoint read from its folder. */
export interface LoadedCheckpoint {
  readonly folder: string;
  readonly model: AnySequenceModel;
  readonly params: unknown;
  /** SHA-256 of model.safetensors; names the parameters. */
  readonly parametersId: string;
  readonly tokenizer?: Tokenizer | undefined;
  readonly training?: TrainingRecord;
  readonly notes: JsonObject;
}

/** Makes a model from its stored configuration. */
export type ModelFactory = (config: JsonObject) => AnySequenceModel | Promise<AnySequenceModel>;
/** Which architectures can be loaded, by `SequenceModel.name`. */
export type ModelRegistry = Readonly<Record<string, ModelFactory>>;

const configSchema = z.object({
  format: z.literal(FORMAT),
  version: z.number(),
  model: z.object({ name: z.string(), config: z.record(z.string(), z.unknown()) }),
  parameters: z.number(),
  trees: z.record(z.string(), z.unknown()),
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
  notes: z.record(z.string(), z.unknown()),
  /** SHA-256 of all other keys, as canonical JSON; files that were written before it was invented have none. */
  checksum: z.string().optional(),
});
type Config = z.output<typeof configSchema>;

/**
 * Writes a checkpoint folder: `model.safetensors`, `config.json` (model, structure of the trees, size and SHA-256 of every
 * file) and, when given, `tokenizer.json`, `optimizer.safetensors`, `memory.safetensors`, `training.json`. The folder is
 * replaced as a whole: killed at any moment, the former checkpoint stays readable.
 */
export async function saveCheckpoint(folder: string, contents: CheckpointContents): Promise<void> {
  const { model, params, tokenizer, training, notes = {}, storage } = contents;
  const trees: Record<string, JsonValue> = { 'model.safetensors': skeletonOf(params) };
  const files: Record<string, Uint8Array | string> = { 'model.safetensors': encodeTree(params, storage) };
  if (tokenizer) files['tokenizer.json'] = JSON.stringify(tokenizer.toJSON());
  if (training) {
    files['training.json'] = JSON.stringify(training.progress, null, 2);
    files['optimizer.safetensors'] = encodeTree(training.optimizer);
    trees['optimizer.safetensors'] = skeletonOf(training.optimizer);
    if (training.memory !== undefined) {
      files['memory.safetensors'] = encodeTree(training.memory);
      trees['memory.safetensors'] = skeletonOf(training.memory);
    }
  }
  const config: Config = {
    format: FORMAT,
    version: CHECKPOINT_VERSION,
    model: { name: model.name, config: model.config },
    parameters: countParameters(params),
    trees,
    files: Object.fromEntries(
      Object.entries(files).map(([name, data]) => [
        name,
        { bytes: Buffer.byteLength(data), sha256: sha256(data) },
      ]),
    ),
    notes,
  };
  const stated = { ...config, checksum: checksumOf(config) };
  await writeFolderAtomically(folder, { ...files, [CONFIG]: `${JSON.stringify(stated, null, 2)}\n` });
}

/**
 * Reads a checkpoint folder, or the `latest` one of a training run's folder.
 * @param models the architectures that may be in it; lm knows none itself.
 * @throws InputError naming folder and file when it is missing, foreign, torn, of a newer format or of an unknown model.
 */
export async function loadCheckpoint(folder: string, models: ModelRegistry): Promise<LoadedCheckpoint> {
  return whileReplaced(
    () => readCheckpoint(folder, models),
    () => versionOf(folder),
  );
}

/** Names the version of a checkpoint that stands in its place right now, when there is one. */
function versionOf(folder: string): string | undefined {
  try {
    const path = nodeModule('node:path').join(findCheckpoint(folder), CONFIG);
    const { ino, mtimeMs, size } = nodeModule('node:fs').statSync(path);
    return `${path} ${ino} ${mtimeMs} ${size}`;
  } catch {
    return undefined;
  }
}

/**
 * Puts a checkpoint together from the files of its folder, as a page gets them from its server. Sizes are checked, and not the
 * SHA-256, which pages can compute in some places only.
 * @param source name of the folder, for messages
 * @throws InputError as `loadCheckpoint`
 */
export function checkpointFrom(
  files: Readonly<Record<string, Uint8Array>>,
  models: ModelRegistry,
  source: string,
): Promise<LoadedCheckpoint> {
  const read = (name: string) => {
    const bytes = files[name];
    if (bytes) return bytes;
    throw torn(source, name, 'is missing');
  };
  return assemble({ place: source, read, path: (name) => `${source}/${name}` }, models);
}

function readCheckpoint(folder: string, models: ModelRegistry): Promise<LoadedCheckpoint> {
  const place = findCheckpoint(folder);
  const path = (name: string) => nodeModule('node:path').join(place, name);
  return assemble({ place, path, read: (name) => readRegular(place, name), hash: sha256 }, models);
}

/** Where the files of a checkpoint are. */
interface Files {
  /** For messages. */
  readonly place: string;
  path(name: string): string;
  read(name: string): Uint8Array;
  /** SHA-256; without one it is not checked. */
  hash?(data: Uint8Array | string): string;
}

async function assemble(files: Files, models: ModelRegistry): Promise<LoadedCheckpoint> {
  const { place, path } = files;
  const config = readConfig(files);
  const refuse: Torn = (name, what) => torn(place, name, what);
  const file = (name: string) =>
    Object.hasOwn(config.files, name) ? readChecked(files, name, config) : undefined;
  const tree = (name: string) => {
    const bytes = file(name);
    return bytes && decodeTree(config.trees[name], bytes, path(name));
  };
  const { name, config: modelConfig } = config.model;
  const factory = Object.hasOwn(models, name) ? models[name] : undefined;
  if (!factory) {
    throw new InputError(
      `The checkpoint '${place}' holds a model '${name}', but only ${Object.keys(models).join(', ') || 'no model'} can be loaded here; a module that brings others is given as --plugin.`,
    );
  }
  const params = tree('model.safetensors');
  if (params === undefined) throw torn(place, 'model.safetensors', 'is not listed in config.json');
  const model = await modelOf(factory, modelConfig as JsonObject, refuse);
  checkParameters(model, params, config.parameters, refuse);
  const tokenizer = file('tokenizer.json');
  return {
    folder: place,
    model,
    params,
    parametersId: config.files['model.safetensors']!.sha256,
    tokenizer: tokenizer && readTokenizer(tokenizer, path('tokenizer.json'), model),
    ...readTraining(files, file, tree, params),
    notes: config.notes as JsonObject,
  };
}

/** What a run needs to go on, when the checkpoint is of one. */
function readTraining(
  { place, path }: Files,
  file: (name: string) => Uint8Array | undefined,
  tree: (name: string) => unknown,
  params: unknown,
): { training?: TrainingRecord } {
  const progress = file('training.json');
  if (!progress) return {};
  const refuse: Torn = (name, what) => torn(place, name, what);
  const optimizer = tree('optimizer.safetensors');
  checkOptimizer(optimizer, params, refuse);
  const memory = tree('memory.safetensors');
  const wrong = firstNonFinite(memory);
  if (wrong !== undefined)
    throw refuse('memory.safetensors', `holds numbers that are not finite, in '${wrong}'`);
  return {
    training: {
      progress: parseJson(progress, path('training.json')) as JsonObject,
      optimizer,
      memory,
    },
  };
}

/** @throws InputError naming the file that is no tokenizer, or has more ids than the model. */
function readTokenizer(bytes: Uint8Array, path: string, model: AnySequenceModel): Tokenizer {
  let tokenizer: Tokenizer;
  const data = parseJson(bytes, path);
  try {
    tokenizer = restoreTokenizer(data);
  } catch (error) {
    throw new InputError(`${path}: ${(error as Error).message}`);
  }
  if (tokenizer.vocabSize <= model.vocabSize) return tokenizer;
  throw new InputError(
    `${path} has a vocabulary of ${tokenizer.vocabSize}, but the model of config.json one of ${model.vocabSize}; use another copy of the checkpoint.`,
  );
}

/** The folder that holds the files: the one named, its former version, or the latest checkpoint of a run's folder. */
function findCheckpoint(folder: string): string {
  const { existsSync, statSync } = nodeModule('node:fs');
  const { join } = nodeModule('node:path');
  const place = currentFolder(folder);
  if (!existsSync(place)) throw new InputError(`There is no checkpoint folder '${folder}'.`);
  if (!statSync(place).isDirectory()) {
    throw new InputError(
      `'${folder}' is a file, but a checkpoint is a folder; give the one that holds ${CONFIG}.`,
    );
  }
  if (existsSync(join(place, CONFIG))) return place;
  const latest = currentFolder(join(place, 'latest'));
  if (existsSync(join(latest, CONFIG))) return latest;
  throw new InputError(
    `The folder '${folder}' is not a checkpoint: it has neither ${CONFIG} nor a folder latest/ with one.`,
  );
}

function readConfig({ place: folder, path: pathOf, read, hash }: Files): Config {
  const path = pathOf(CONFIG);
  const raw = parseJson(read(CONFIG), path);
  const { format, version } = (raw ?? {}) as { format?: unknown; version?: unknown };
  if (format !== FORMAT) {
    throw new InputError(
      `'${path}' is not of a Palimpsest checkpoint: its format is '${String(format ?? 'unknown')}', expected '${FORMAT}'.`,
    );
  }
  if (version !== CHECKPOINT_VERSION) {
    throw new InputError(
      `The checkpoint '${folder}' has format version ${String(version)}, but this program reads version ${CHECKPOINT_VERSION}; ${Number(version) > CHECKPOINT_VERSION ? 'update it' : 'save the checkpoint again with the version that wrote it'}.`,
    );
  }
  const parsed = configSchema.safeParse(raw);
  const { checksum, ...rest } = raw as { readonly checksum?: unknown };
  if (hash && checksum !== undefined && checksum !== checksumOf(rest)) {
    throw torn(folder, CONFIG, 'has another SHA-256 than it states itself: something in it was changed');
  }
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw torn(folder, CONFIG, `does not fit at '${issue?.path.join('.')}': ${issue?.message}`);
}

function readChecked({ place: folder, read, hash }: Files, name: string, config: Config): Uint8Array {
  const bytes = read(name);
  const expected = config.files[name]!;
  if (bytes.length !== expected.bytes) {
    throw torn(folder, name, `has ${bytes.length} bytes, expected ${expected.bytes}`);
  }
  if (hash && hash(bytes) !== expected.sha256) {
    throw torn(
      folder,
      name,
      `has another SHA-256 than config.json states (${expected.sha256.slice(0, 12)}…)`,
    );
  }
  return bytes;
}

/** The error of a checkpoint that cannot be what it says. */
export const torn = (folder: string, name: string, what: string) =>
  new InputError(`The checkpoint '${folder}' is torn: ${name} ${what}; use another copy of it.`);

/** The bytes of a file of a checkpoint. @throws InputError when it is missing, a folder, or cannot be read. */
function readRegular(folder: string, name: string): Uint8Array {
  try {
    return readRegularFile(nodeModule('node:path').join(folder, name));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw torn(folder, name, 'is missing');
    throw torn(folder, name, code === undefined ? `is no file: ${message}` : `cannot be read (${code})`);
  }
}

/** The checksum that config.json states of itself. */
function checksumOf(config: object): string {
  return sha256(canonicalJson(JSON.parse(JSON.stringify(config))));
}

function sha256(data: Uint8Array | string): string {
  return nodeModule('node:crypto').createHash('sha256').update(data).digest('hex');
}
