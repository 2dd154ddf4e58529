import { InputError, nodeModule } from '@palimpsest/base';
import { z } from 'zod';
import { processStart } from './process-start.js';

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

  /** @throws InputError naming the owner when another process works in the folder. */
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
      const other = readOwner(path);
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
    const current = readOwner(this.path);
    if (current !== undefined && current !== 'unreadable' && current.token === this.owner.token) {
      files().rmSync(this.path, { force: true });
    }
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
  files().writeFileSync(own, `${JSON.stringify(owner)}\n`);
  try {
    files().linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    return placeWithoutLinks(path, owner, error);
  } finally {
    files().rmSync(own, { force: true });
  }
}

/** File systems without hard links: exclusive creation, whose contents come a moment later. */
function placeWithoutLinks(path: string, owner: Owner, cause: unknown): boolean {
  if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes((cause as NodeJS.ErrnoException).code ?? ''))
    throw cause;
  try {
    files().writeFileSync(path, `${JSON.stringify(owner)}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function readOwner(path: string): Owner | 'unreadable' | undefined {
  let text: string;
  try {
    text = files().readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return 'unreadable';
  }
}

function isAlive(owner: Owner, path: string): boolean {
  if (owner.host !== host()) return age(path) < STALE_AFTER;
  // A process of this machine is asked itself; its number may have been given to another one since.
  return processStart(owner.process) === owner.processStart;
}

function age(path: string): number {
  try {
    return Date.now() - files().statSync(path).mtimeMs;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Removes a lock that was left behind, unless somebody else has put a new one there since it was read. */
function discard(path: string, stale: Owner | 'unreadable'): void {
  const aside = `${path}.${newToken()}`;
  try {
    files().renameSync(path, aside);
  } catch {
    return;
  }
  const taken = readOwner(aside);
  const isOther =
    taken !== undefined && taken !== 'unreadable' && (stale === 'unreadable' || taken.token !== stale.token);
  if (isOther) {
    try {
      files().linkSync(aside, path);
    } catch {
      // A third process has claimed the folder meanwhile: its lock stands.
    }
  }
  files().rmSync(aside, { force: true });
}
