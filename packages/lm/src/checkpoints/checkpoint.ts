import { nodeModule, readRegularFile } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { countParameters } from '../model-size.js';
import type { AnySequenceModel, JsonObject, JsonValue } from '../sequence-model.js';
import { restoreTokenizer } from '../tokenizers/restore-tokenizer.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import { currentFolder, writeFolderAtomically } from './atomic-folder.js';
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
  readonly tokenizer?: Tokenizer;
  readonly training?: TrainingRecord;
  /** Anything else worth keeping: results, the name of the text. */
  readonly notes?: JsonObject;
}

/** A checkpoint read from its folder. */
export interface LoadedCheckpoint {
  readonly folder: string;
  readonly model: AnySequenceModel;
  readonly params: unknown;
  /** SHA-256 of model.safetensors; names the parameters. */
  readonly parametersId: string;
  readonly tokenizer?: Tokenizer;
  readonly training?: TrainingRecord;
  readonly notes: JsonObject;
}

/** Makes a model from its stored configuration. */
export type ModelFactory = (config: JsonObject) => AnySequenceModel;
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
});
type Config = z.output<typeof configSchema>;

/**
 * Writes a checkpoint folder: `model.safetensors`, `config.json` (model, structure of the trees, size and SHA-256 of every
 * file) and, when given, `tokenizer.json`, `optimizer.safetensors`, `memory.safetensors`, `training.json`. The folder is
 * replaced as a whole: killed at any moment, the former checkpoint stays readable.
 */
export async function saveCheckpoint(folder: string, contents: CheckpointContents): Promise<void> {
  const { model, params, tokenizer, training, notes = {} } = contents;
  const trees: Record<string, JsonValue> = { 'model.safetensors': skeletonOf(params) };
  const files: Record<string, Uint8Array | string> = { 'model.safetensors': encodeTree(params) };
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
  await writeFolderAtomically(folder, { ...files, [CONFIG]: `${JSON.stringify(config, null, 2)}\n` });
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

function readCheckpoint(folder: string, models: ModelRegistry): LoadedCheckpoint {
  const place = findCheckpoint(folder);
  const config = readConfig(place);
  const file = (name: string) => (name in config.files ? readChecked(place, name, config) : undefined);
  const tree = (name: string) => {
    const bytes = file(name);
    return bytes && decodeTree(config.trees[name], bytes, `${place}/${name}`);
  };
  const { name, config: modelConfig } = config.model;
  const factory = Object.hasOwn(models, name) ? models[name] : undefined;
  if (!factory) {
    throw new InputError(
      `The checkpoint '${place}' holds a model '${name}', but only ${Object.keys(models).join(', ') || 'no model'} can be loaded here.`,
    );
  }
  const params = tree('model.safetensors');
  if (params === undefined) throw torn(place, 'model.safetensors', 'is not listed in config.json');
  const tokenizer = file('tokenizer.json');
  const training = file('training.json');
  const memory = tree('memory.safetensors');
  return {
    folder: place,
    model: factory(modelConfig as JsonObject),
    params,
    parametersId: config.files['model.safetensors']!.sha256,
    ...(tokenizer ? { tokenizer: restoreTokenizer(parseJson(tokenizer)) } : {}),
    ...(training
      ? {
          training: {
            progress: parseJson(training) as JsonObject,
            optimizer: tree('optimizer.safetensors'),
            ...(memory === undefined ? {} : { memory }),
          },
        }
      : {}),
    notes: config.notes as JsonObject,
  };
}

/** The folder that holds the files: the one named, its former version, or the latest checkpoint of a run's folder. */
function findCheckpoint(folder: string): string {
  const { existsSync } = nodeModule('node:fs');
  const { join } = nodeModule('node:path');
  const place = currentFolder(folder);
  if (!existsSync(place)) throw new InputError(`There is no checkpoint folder '${folder}'.`);
  if (existsSync(join(place, CONFIG))) return place;
  const latest = currentFolder(join(place, 'latest'));
  if (existsSync(join(latest, CONFIG))) return latest;
  throw new InputError(
    `The folder '${folder}' is not a checkpoint: it has neither ${CONFIG} nor a folder latest/ with one.`,
  );
}

function readConfig(folder: string): Config {
  const path = nodeModule('node:path').join(folder, CONFIG);
  let raw: unknown;
  try {
    raw = parseJson(readRegularFile(path));
  } catch {
    throw torn(folder, CONFIG, 'is not valid JSON');
  }
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
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw torn(folder, CONFIG, `does not fit at '${issue?.path.join('.')}': ${issue?.message}`);
}

function readChecked(folder: string, name: string, config: Config): Uint8Array {
  const path = nodeModule('node:path').join(folder, name);
  if (!nodeModule('node:fs').existsSync(path)) throw torn(folder, name, 'is missing');
  const bytes = readRegularFile(path);
  const expected = config.files[name]!;
  if (bytes.length !== expected.bytes) {
    throw torn(folder, name, `has ${bytes.length} bytes, expected ${expected.bytes}`);
  }
  if (sha256(bytes) !== expected.sha256) {
    throw torn(
      folder,
      name,
      `has another SHA-256 than config.json states (${expected.sha256.slice(0, 12)}…)`,
    );
  }
  return bytes;
}

const torn = (folder: string, name: string, what: string) =>
  new InputError(`The checkpoint '${folder}' is torn: ${name} ${what}; use another copy of it.`);

const parseJson = (bytes: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(bytes));

function sha256(data: Uint8Array | string): string {
  return nodeModule('node:crypto').createHash('sha256').update(data).digest('hex');
}
