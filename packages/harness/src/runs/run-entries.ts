import { closeSync, existsSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { storageError } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { METRICS_FILES } from './metrics-files.js';

export const METRICS = 'metrics.jsonl';
export const CURVE = 'curve.svg';
const CONFIG = 'config.json';
/** Folders that the training loop writes. */
export const CHECKPOINT_FOLDERS = ['latest', 'best'];
/** Each with the names that a cut-off write leaves behind. */
const CHECKPOINTS = CHECKPOINT_FOLDERS.flatMap((name) => [name, `${name}.previous`, `${name}.partial`]);
const CHECKPOINT_FILE =
  /^(config\.json|model\.safetensors|optimizer\.safetensors|memory\.safetensors|training\.json|tokenizer\.json)$/;

/** What a folder that is asked for a run holds already. */
export type FolderContents =
  /** Nothing of a run, and nothing that stands in its way. */
  | 'free'
  /** A run with a checkpoint. */
  | 'run'
  /** What is left of a run that ended before its first checkpoint. */
  | 'begun';

/**
 * Looks at a folder before anything is written to it.
 * @throws InputError naming what stands in the way: a file in the folder's place, entries of others with names of ours.
 */
export function inspectFolder(folder: string): FolderContents {
  if (folder.trim() === '') {
    throw new InputError('The name of the run folder is empty (--out); name a folder.');
  }
  let status: ReturnType<typeof statSync>;
  try {
    status = statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    throw unusable(folder, error);
  }
  if (!status) return 'free';
  if (!status.isDirectory()) {
    throw new InputError(`'${folder}' is a file, but a run needs a folder; choose another one (--out).`);
  }
  if (existsSync(join(folder, CONFIG))) {
    throw new InputError(
      `'${folder}' holds a ${CONFIG}: it is a checkpoint or a model's folder, not that of a run; choose another folder (--out).`,
    );
  }
  const names = readdirSync(folder);
  const foreign = names.find((name) => isForeign(folder, name));
  if (foreign !== undefined) {
    throw new InputError(
      `The folder '${folder}' holds '${foreign}', which no run of this program wrote, under a name that a run writes to; choose another folder (--out) or move it away.`,
    );
  }
  if (names.some((name) => CHECKPOINTS.includes(name) && !name.endsWith('.partial'))) return 'run';
  return names.includes(METRICS) ? 'begun' : 'free';
}

function isForeign(folder: string, name: string): boolean {
  const path = join(folder, name);
  if (CHECKPOINTS.includes(name)) return !isCheckpoint(path, mayLackFiles(folder, name));
  if (name === METRICS) return !startsWith(path, '{"type":"start"');
  // A curve is drawn from metrics, and so are other forms of them: without them it is somebody else's file.
  if (name === CURVE || METRICS_FILES.includes(name)) return !existsSync(join(folder, METRICS));
  return false;
}

/** One that is being written, or a former one that is being removed, since its successor stands in its place. */
function mayLackFiles(folder: string, name: string): boolean {
  if (name.endsWith('.partial')) return true;
  const successor = join(folder, name.replace(/\.previous$/, ''));
  return name.endsWith('.previous') && existsSync(successor) && isCheckpoint(successor, false);
}

/** A folder with the files of a checkpoint and no others; of some, a cut-off process may have left only a part. */
function isCheckpoint(path: string, isPart: boolean): boolean {
  if (!statSync(path).isDirectory()) return false;
  const names = readdirSync(path);
  return names.every((name) => CHECKPOINT_FILE.test(name)) && (isPart || names.includes(CONFIG));
}

/** Whether a file begins with a text, as far as a write that was cut off got. */
function startsWith(path: string, text: string): boolean {
  if (!statSync(path).isFile()) return false;
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(Buffer.byteLength(text));
    const length = readSync(file, bytes, 0, bytes.length, 0);
    return text.startsWith(bytes.subarray(0, length).toString());
  } finally {
    closeSync(file);
  }
}

/** The sentence for a place that the system refuses. */
export function unusable(path: string, error: unknown): unknown {
  return storageError('The run folder cannot be used', path, error, 'choose another one (--out)');
}
