import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson, systemReason } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { type CellResult, cellResultSchema } from './cell.js';
import { firstIssue } from './resolve-cell.js';

const RESULT_FILE = /^([0-9a-f]{64})\.json$/;
/** What a result folder may hold without any cell: reports. */
const REPORT_FILES = new Set([
  'report.html',
  'results.json',
  'results.md',
  'results.csv',
  'summary.md',
  'evaluation.json',
  'data',
]);
/** What a writer that was killed may leave behind; nobody reads it. */
const TEMPORARY_FILE = /^\.[0-9a-f]{64}\.[0-9a-f-]+\.tmp$/;

/**
 * Results by content address: one file `cells/<key>.json` per cell. A file is written beside its place and renamed, so
 * that readers see a whole result or none, whoever else writes the same cell at the same time, and whenever a writer is
 * killed.
 */
export class ResultStore {
  /** The result folder, which may hold reports besides. */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * Opens a result folder, or makes it when it does not exist or is empty.
   * @throws InputError for a folder that holds other things, or that cannot be read or made.
   */
  static async open(folder: string): Promise<ResultStore> {
    await refuseForeign(folder, 'give the path of a new or empty folder, or of a result folder');
    try {
      await mkdir(join(folder, 'cells'), { recursive: true });
    } catch (error) {
      throw new InputError(`The result folder '${folder}' cannot be made: ${systemReason(error)}.`);
    }
    return new ResultStore(folder);
  }

  /** Opens a result folder that exists. @throws InputError when it does not, or is something else. */
  static async openExisting(folder: string): Promise<ResultStore> {
    if (!existsSync(join(folder, 'cells'))) {
      await refuseForeign(folder, 'give the folder that an evaluation or a sweep wrote');
      throw new InputError(
        `There is no result folder '${folder}'; give the folder that an evaluation or a sweep wrote.`,
      );
    }
    return new ResultStore(folder);
  }

  has(key: string): boolean {
    return existsSync(this.#path(key));
  }

  /** @returns undefined when the cell has no result. @throws InputError for a file that is no result of this version. */
  async read(key: string): Promise<CellResult | undefined> {
    const path = this.#path(key);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new InputError(`The result '${path}' cannot be read: ${systemReason(error)}.`);
    }
    return parseResult(path, key, text);
  }

  /** Writes a result in place of the former one. A failure never replaces a finished cell; that is no error. */
  async write(result: CellResult): Promise<void> {
    if (result.status === 'failed' && (await this.read(result.key))?.status === 'done') return;
    const temporary = join(this.folder, 'cells', `.${result.key}.${randomUUID()}.tmp`);
    try {
      await writeFile(temporary, `${JSON.stringify(cellResultSchema.parse(result), null, 2)}\n`, {
        flush: true,
      });
      await rename(temporary, this.#path(result.key));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Every result, in the order of the keys. @throws InputError for the first file that is no result of this version. */
  async list(): Promise<CellResult[]> {
    const results: CellResult[] = [];
    for (const key of await this.keys()) {
      const result = await this.read(key);
      if (result) results.push(result);
    }
    return results;
  }

  /** The keys of the cells that have a result, in order. @throws InputError when other files lie among them. */
  async keys(): Promise<string[]> {
    const folder = join(this.folder, 'cells');
    const names = (await namesIn(folder)).filter((name) => !TEMPORARY_FILE.test(name)).sort();
    const foreign = names.find((name) => !RESULT_FILE.test(name));
    if (foreign !== undefined) {
      throw new InputError(
        `'${join(folder, foreign)}' is no result of a cell; move it elsewhere, or give another result folder.`,
      );
    }
    return names.map((name) => RESULT_FILE.exec(name)![1]!);
  }

  #path(key: string): string {
    return join(this.folder, 'cells', `${key}.json`);
  }
}

async function refuseForeign(folder: string, remedy: string): Promise<void> {
  if (!existsSync(folder)) return;
  if (!(await stat(folder)).isDirectory())
    throw new InputError(`'${folder}' is a file, not a folder; ${remedy}.`);
  const names = await namesIn(folder);
  if (!names.includes('cells') && !names.every((name) => REPORT_FILES.has(name))) {
    throw new InputError(`The folder '${folder}' holds other things than results of cells; ${remedy}.`);
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw new InputError(`The folder '${folder}' cannot be read: ${systemReason(error)}.`);
  }
}

function parseResult(path: string, key: string, text: string): CellResult {
  const json = parseJson(text, `The result '${path}'`);
  const { format, version } = (json ?? {}) as { format?: unknown; version?: unknown };
  if (format !== 'palimpsest-cell')
    throw new InputError(`'${path}' is no result of a cell; remove it, or give another result folder.`);
  if (version !== 1) {
    throw new InputError(
      `'${path}' has version ${String(version)} of the result schema, and this program reads version 1; give another result folder.`,
    );
  }
  const result = cellResultSchema.safeParse(json);
  if (!result.success) {
    throw new InputError(
      `'${path}' does not fit the result schema (${firstIssue(result.error)}); remove it to compute it again.`,
    );
  }
  if (result.data.key === key) return result.data;
  throw new InputError(`'${path}' holds the result of another cell; remove it to compute it again.`);
}
