import { InputError, nodeModule, systemReason } from '@palimpsest/base';
import { z } from 'zod';
import { processStart, THERE } from './process-start.js';

const files = () => nodeModule('node:fs');
const newToken = () => nodeModule('node:crypto').randomUUID();
const host = () => nodeModule('node:os').hostname();

/** How often a lock is touched while its process is at work, milliseconds. */
const TOUCH_EVERY = 10_000;
/**
 * Age from which the lock of another machine counts as left behind, milliseconds. Building graphs can keep a process from
 * touching its lock for minutes.
 */
const STALE_AFTER = 15 * 60_000;
/** For how long a lock without its contents counts as one that is being written, milliseconds. */
const WRITTEN_AFTER = 2000;
/** Milliseconds between two looks at such a lock. */
const LOOK_EVERY = 20;

const ownerSchema = z.object({
  token: z.string(),
  process: z.number(),
  /** When the process began, in the system's own terms, so that a number given anew is not taken for it. */
  processStart: z.string(),
  host: z.string(),
  since: z.string(),
});
type Owner = z.output<typeof ownerSchema>;

export interface FolderLockOptions {
  /** Name of the lock's file within the folder. */
  readonly file: string;
  /** What the other process does there, as in 'is being trained into'. */
  readonly use: string;
  /** What to do, as in 'wait for it, or choose another folder (--out)'. */
  readonly advice: string;
}

/**
 * A folder that one process works in. The lock is a file with its owner and the time; one left behind by a process
 * that is gone is taken over.
 */
export class FolderLock {
  readonly #timer: NodeJS.Timeout;

  private constructor(
    readonly path: string,
    readonly owner: Owner,
  ) {
    this.#timer = setInterval(() => this.#touch(), TOUCH_EVERY);
    this.#timer.unref();
  }

  /**
   * @throws InputError naming the owner when another process works in the folder, and the lock when it can be neither read nor
   * removed; the system's own error when nothing can be written there.
   */
  static claim(folder: string, { file, use, advice }: FolderLockOptions): FolderLock {
    const path = nodeModule('node:path').join(folder, file);
    const owner: Owner = {
      token: newToken(),
      process: process.pid,
      processStart: processStart(process.pid) ?? '',
      host: host(),
      since: new Date().toISOString(),
    };
    for (let attempt = 0; attempt < 5; attempt++) {
      if (place(path, owner)) return new FolderLock(path, owner);
      const other = settledOwner(path);
      if (other === undefined) continue;
      if (other !== 'unreadable' && isAlive(other, path)) {
        throw new InputError(
          `The folder '${folder}' ${use} by process ${other.process} on ${other.host} since ${other.since}; ${advice}.`,
        );
      }
      discard(path, other);
    }
    throw new InputError(
      `The folder '${folder}' cannot be claimed: others take it at the same time; ${advice}.`,
    );
  }

  /** Gives the folder back. */
  release(): void {
    clearInterval(this.#timer);
    if (tokenOf(this.path) === this.owner.token) files().rmSync(this.path, { force: true });
  }

  #touch(): void {
    const now = new Date();
    try {
      files().utimesSync(this.path, now, now);
    } catch {
      // Without a fresh time the lock only looks older to other machines; the run itself is not affected.
    }
  }
}

/** Puts the whole lock in place at once, unless there is one. */
function place(path: string, owner: Owner): boolean {
  const own = `${path}.${owner.token}`;
  files().writeFileSync(own, textOf(owner));
  try {
    return link(own, path, owner);
  } finally {
    files().rmSync(own, { force: true });
  }
}

/**
 * Gives a lock its name, unless there is one. File systems without hard links say so in many ways; there it is created
 * exclusively, and its contents come a moment later.
 */
function link(from: string, path: string, owner: Owner): boolean {
  try {
    files().linkSync(from, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
  }
  try {
    files().writeFileSync(path, textOf(owner), { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

const textOf = (owner: Owner) => `${JSON.stringify(owner)}\n`;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;

/** Who has a lock, once its contents are there. @throws InputError when it cannot be read at all. */
function settledOwner(path: string): Owner | 'unreadable' | undefined {
  const end = Date.now() + WRITTEN_AFTER;
  for (;;) {
    const owner = readOwner(path);
    const isYoung = owner === 'unreadable' && Math.abs(age(path)) < WRITTEN_AFTER && Date.now() < end;
    if (!isYoung) return owner;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_EVERY);
  }
}

/** @throws InputError when there is a lock that the system does not let be read. */
function readOwner(path: string): Owner | 'unreadable' | undefined {
  let text: string;
  try {
    text = files().readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new InputError(`The lock '${path}' cannot be read: ${systemReason(error)}; see who has it.`);
  }
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return 'unreadable';
  }
}

/** Whose lock it is, when that can be said. */
function tokenOf(path: string): string | undefined {
  try {
    const owner = readOwner(path);
    return owner === 'unreadable' ? undefined : owner?.token;
  } catch {
    return undefined;
  }
}

function isAlive(owner: Owner, path: string): boolean {
  if (owner.host !== host()) return age(path) < STALE_AFTER;
  // A process of this machine is asked itself; its number may have been given to another one since.
  const start = processStart(owner.process);
  if (start === owner.processStart) return true;
  // Of a process that is hidden from this one no more is known than of another machine's.
  return start === THERE && age(path) < STALE_AFTER;
}

function age(path: string): number {
  try {
    return Date.now() - files().statSync(path).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/**
 * Removes a lock that was left behind, unless somebody else has put a new one there since it was read.
 * @throws InputError when the system does not let it be removed.
 */
function discard(path: string, stale: Owner | 'unreadable'): void {
  const aside = `${path}.${newToken()}`;
  try {
    files().renameSync(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw new InputError(
      `The lock '${path}' was left behind and cannot be removed: ${systemReason(error)}; remove it.`,
    );
  }
  const taken = readOwner(aside);
  const isOther =
    taken !== undefined && taken !== 'unreadable' && (stale === 'unreadable' || taken.token !== stale.token);
  try {
    // Where a third process has claimed the folder meanwhile, its lock stands.
    if (isOther) link(aside, path, taken);
  } finally {
    files().rmSync(aside, { force: true });
  }
}
