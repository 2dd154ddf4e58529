import { InputError, nodeModule } from '@palimpsest/base';
import { FolderLock, storageError } from '@palimpsest/lm';
import { JOURNAL, Journal, type JournalEvent } from './journal.js';

/** Journals are written anew when they have this many times the lines that count. */
const SLACK = 2;
const SMALLEST_COMPACTION = 64;

/** Two processes that wrote one journal would number their memories alike. */
const ownUse = {
  file: 'memory.lock',
  use: 'is in use',
  advice: 'end that process, or choose another folder (--folder)',
} as const;

/** The folder in which a memory outlives its process, in use by one process at a time. */
export class MemoryFolder {
  private constructor(
    private readonly lock: FolderLock,
    private readonly journal: Journal,
  ) {}

  /**
   * Opens a folder, makes it where it is not there, and hands over what happened in it; when that fails, the folder is free again.
   * @throws InputError for a folder that holds something else, is damaged, or is in use by another process.
   */
  static async open(
    path: string,
    replay: (events: readonly JournalEvent[]) => Promise<void>,
  ): Promise<MemoryFolder> {
    const { join } = nodeModule('node:path');
    const { mkdir } = nodeModule('node:fs').promises;
    await mkdir(path, { recursive: true }).catch((error: Error) => {
      throw new InputError(`The folder '${path}' of a memory cannot be made: ${error.message}.`);
    });
    const lock = claimed(path);
    try {
      const { journal, events } = await Journal.open(join(path, JOURNAL));
      const folder = new MemoryFolder(lock, journal);
      await replay(events).catch(async (error: Error) => {
        await journal.close();
        throw error;
      });
      return folder;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Writes an event; it is on the disk afterwards. */
  append(op: JournalEvent['op'], members: Readonly<Record<string, unknown>>): Promise<void> {
    return this.journal.append(op, members);
  }

  /**
   * Writes the journal anew when most of its lines no longer count.
   * @param memories how many there are, and their events when they are needed
   * @param nextId ids are never given twice, even when the memory that had the last one is gone
   */
  async compactIfDue(
    memories: { readonly size: number; events(): readonly Readonly<Record<string, unknown>>[] },
    nextId: number,
  ): Promise<void> {
    if (this.journal.lines < Math.max(SMALLEST_COMPACTION, SLACK * memories.size)) return;
    await this.journal.compact([{ op: 'touch', ids: [], now: 0, nextId }, ...memories.events()]);
  }

  async close(): Promise<void> {
    try {
      await this.journal.close();
    } finally {
      this.lock.release();
    }
  }
}

/** @throws InputError when another process has the folder, or the system refuses it. */
function claimed(folder: string): FolderLock {
  try {
    return FolderLock.claim(folder, ownUse);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw storageError(
      'The folder of a memory cannot be used',
      folder,
      error,
      'choose another one (--folder)',
    );
  }
}
