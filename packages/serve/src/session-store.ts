import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { InputError, readRegularFile, systemReason, writeFileAtomically } from '@palimpsest/base';
import { decodeSnapshot, encodeSnapshot, FolderLock, type SessionSnapshot } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ApiError } from './errors.js';

/** Ids are names of files. */
export const sessionIdSchema: z.ZodString = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'an id has 1 to 64 small letters, digits, hyphens and underscores');

const ENDING = '.session';

const ownUse = {
  file: 'server.lock',
  use: 'is being served from',
  advice: 'end that server, or choose another folder for the sessions (--sessions)',
};

interface Kept {
  readonly snapshot: SessionSnapshot;
  /** It is in its file as it is here. */
  isSaved: boolean;
}

/** How many sessions there may be. */
export interface SessionBounds {
  /** In memory. */
  readonly held: number;
  /** In all, those in files included. */
  readonly most: number;
}

/** What is told of a session. */
export interface SessionFacts {
  readonly id: string;
  /** Tokens read and written. */
  readonly position: number;
  /** Bytes of its memory. */
  readonly bytes: number;
}

/**
 * Memories of conversations by id. The latest ones are held in memory, older ones in files of a folder, and all of them
 * after `close`. A request has the session to itself; one that fails leaves it as it was.
 */
export class SessionStore {
  readonly #kept = new Map<string, Kept>();
  readonly #busy = new Set<string>();
  /** The newest change of each session's file that is not done yet. */
  readonly #changing = new Map<string, Promise<void>>();

  private constructor(
    readonly folder: string,
    private readonly bounds: SessionBounds,
    private readonly lock: FolderLock,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /**
   * Takes a folder for this process alone, and makes it when there is none.
   * @param onFailure told why a session could not be written before it had to be
   * @throws InputError when the folder cannot be used, or another server uses it.
   */
  static open(folder: string, bounds: SessionBounds, onFailure: (error: unknown) => void): SessionStore {
    let lock: FolderLock;
    try {
      mkdirSync(folder, { recursive: true });
      lock = FolderLock.claim(folder, ownUse);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`Sessions cannot be saved in '${folder}': ${systemReason(error)}.`);
    }
    return new SessionStore(folder, bounds, lock, onFailure);
  }

  /** Sessions held in memory. */
  get held(): number {
    return this.#kept.size;
  }

  /** Bytes of those. */
  get heldBytes(): number {
    return [...this.#kept.values()].reduce((sum, { snapshot }) => sum + bytesOf(snapshot), 0);
  }

  /** Ids of all sessions, in order. */
  ids(): string[] {
    const stored = readdirSync(this.folder)
      .filter((name) => name.endsWith(ENDING))
      .map((name) => name.slice(0, -ENDING.length))
      .filter((id) => sessionIdSchema.safeParse(id).success);
    return [...new Set([...this.#kept.keys(), ...stored])].sort();
  }

  /** @throws ApiError 404 when there is none. */
  facts(id: string): SessionFacts {
    const snapshot = this.#require(id);
    return { id, position: snapshot.position, bytes: bytesOf(snapshot) };
  }

  /**
   * Works with a session; what the work gives is kept.
   * @param work is given the memory, nothing for a new one, and gives the memory afterwards, nothing to leave it as it was
   * @throws ApiError 409 while another request has it; 403 for a new one when there are as many as may be.
   */
  async use(
    id: string,
    work: (before: SessionSnapshot | undefined) => Promise<SessionSnapshot | undefined>,
  ): Promise<void> {
    this.#claim(id);
    try {
      const after = await work(this.#find(id));
      if (after) await this.#keep(id, after);
    } finally {
      this.#busy.delete(id);
    }
  }

  /**
   * A second session with the same past and other random numbers.
   * @throws ApiError 404 when there is no such session, 409 when the other exists.
   */
  async fork(id: string, copy: string): Promise<SessionFacts> {
    const snapshot = this.#require(id);
    const rng = Rng.fromState(snapshot.rng).split().state();
    await this.use(copy, async () => {
      if (!this.#has(copy)) return { ...snapshot, rng };
      throw new ApiError(409, 'session_exists', `There is a session '${copy}' already.`, 'id');
    });
    return this.facts(copy);
  }

  /** @throws ApiError 404 when there is none, 409 while a request has it. */
  async remove(id: string): Promise<void> {
    this.#requireAny(id);
    this.#claim(id);
    try {
      await this.#change(id, () => {
        rmSync(this.#pathOf(id), { force: true });
        this.#kept.delete(id);
      });
    } finally {
      this.#busy.delete(id);
    }
  }

  /**
   * Writes every session that changed to its file.
   * @returns how many
   * @throws InputError when one of them cannot be written; all others are then.
   */
  async save(): Promise<number> {
    const failures: unknown[] = [];
    let count = 0;
    for (const [id, kept] of [...this.#kept]) {
      if (kept.isSaved) continue;
      try {
        await this.#write(id, kept);
        count += 1;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return count;
  }

  /** Saves, and gives the folder back. @returns sessions that were written */
  async close(): Promise<number> {
    try {
      return await this.save();
    } finally {
      this.lock.release();
    }
  }

  #claim(id: string): void {
    if (this.#busy.has(id)) {
      throw new ApiError(
        409,
        'session_busy',
        `Another request has the session '${id}'; ask again when it is done.`,
      );
    }
    if (!this.#has(id)) this.#requireRoom();
    this.#busy.add(id);
  }

  /** Nothing is thrown away to make room: what a session remembers is nowhere else. */
  #requireRoom(): void {
    const { most } = this.bounds;
    if (new Set([...this.ids(), ...this.#busy]).size < most) return;
    throw new ApiError(
      403,
      'too_many_sessions',
      `There are ${most} sessions, as many as this server keeps; remove one first (DELETE /v1/sessions/ID).`,
      'session',
    );
  }

  #requireAny(id: string): void {
    if (sessionIdSchema.safeParse(id).success && this.#has(id)) return;
    throw new ApiError(404, 'session_not_found', `There is no session '${id}'.`);
  }

  #require(id: string): SessionSnapshot {
    this.#requireAny(id);
    return this.#find(id)!;
  }

  #has(id: string): boolean {
    return this.#kept.has(id) || existsSync(this.#pathOf(id));
  }

  #find(id: string): SessionSnapshot | undefined {
    const kept = this.#kept.get(id);
    if (kept) return kept.snapshot;
    const path = this.#pathOf(id);
    if (!existsSync(path)) return undefined;
    try {
      return decodeSnapshot(readRegularFile(path), path);
    } catch (error) {
      // No client is to blame for the files of this server.
      throw new Error(`The session '${id}' cannot be read: ${systemReason(error)}.`, { cause: error });
    }
  }

  async #keep(id: string, snapshot: SessionSnapshot): Promise<void> {
    // Those used last stand at the end.
    this.#kept.delete(id);
    this.#kept.set(id, { snapshot, isSaved: false });
    try {
      await this.#makeRoom();
    } catch (error) {
      // The request is done all the same: more sessions are held than should be, until a file can be written again.
      this.onFailure(error);
    }
  }

  async #makeRoom(): Promise<void> {
    while (this.#kept.size > this.bounds.held) {
      const [oldest, kept] = this.#kept.entries().next().value!;
      await this.#write(oldest, kept);
      if (kept.isSaved && this.#kept.get(oldest) === kept) this.#kept.delete(oldest);
    }
  }

  /** Writes a memory to its file, unless it is there, or has been replaced or removed before its turn. */
  #write(id: string, kept: Kept): Promise<void> {
    return this.#change(id, async () => {
      if (kept.isSaved || this.#kept.get(id) !== kept) return;
      await writeFileAtomically(this.#pathOf(id), encodeSnapshot(kept.snapshot));
      kept.isSaved = true;
    });
  }

  /** Changes the file of a session after the changes that were asked for before, so that the newest is the last. */
  #change(id: string, change: () => void | Promise<void>): Promise<void> {
    const done = (this.#changing.get(id) ?? Promise.resolve()).then(change);
    const settled = done.catch(() => {});
    this.#changing.set(id, settled);
    settled.then(() => {
      if (this.#changing.get(id) === settled) this.#changing.delete(id);
    });
    return done;
  }

  #pathOf(id: string): string {
    return join(this.folder, id + ENDING);
  }
}

const bytesOf = ({ state, logits }: SessionSnapshot): number =>
  Object.values(state).reduce((sum, { data }) => sum + data.byteLength, logits?.byteLength ?? 0);
