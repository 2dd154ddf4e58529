import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readRegularFile } from '@palimpsest/base';
import { decodeSnapshot, encodeSnapshot, type SessionSnapshot } from '@palimpsest/lm';
import { Rng, writeFileAtomically } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ApiError } from './errors.js';

/** Ids are names of files. */
export const sessionIdSchema: z.ZodString = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'an id has 1 to 64 small letters, digits, hyphens and underscores');

const ENDING = '.session';

interface Kept {
  readonly snapshot: SessionSnapshot;
  /** It is in its file as it is here. */
  isSaved: boolean;
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
 * after `save`. A request has the session to itself; one that fails leaves it as it was.
 */
export class SessionStore {
  readonly #kept = new Map<string, Kept>();
  readonly #busy = new Set<string>();

  /**
   * @param folder made when it is needed
   * @param limit most sessions that are held in memory
   */
  constructor(
    readonly folder: string,
    readonly limit: number,
  ) {}

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
    const files = existsSync(this.folder) ? readdirSync(this.folder) : [];
    const stored = files
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
   * @throws ApiError 409 while another request has it.
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
    if (this.#find(copy))
      throw new ApiError(409, 'session_exists', `There is a session '${copy}' already.`, 'id');
    const rng = Rng.fromState(snapshot.rng).split().state();
    await this.use(copy, async () => ({ ...snapshot, rng }));
    return this.facts(copy);
  }

  /** @throws ApiError 404 when there is none, 409 while a request has it. */
  remove(id: string): void {
    this.#require(id);
    this.#claim(id);
    this.#kept.delete(id);
    rmSync(this.#pathOf(id), { force: true });
    this.#busy.delete(id);
  }

  /** Writes every session that changed to its file. @returns how many */
  async save(): Promise<number> {
    let count = 0;
    for (const [id, kept] of this.#kept) {
      if (kept.isSaved) continue;
      await this.#write(id, kept);
      count += 1;
    }
    return count;
  }

  #claim(id: string): void {
    if (this.#busy.has(id)) {
      throw new ApiError(
        409,
        'session_busy',
        `Another request has the session '${id}'; ask again when it is done.`,
      );
    }
    this.#busy.add(id);
  }

  #require(id: string): SessionSnapshot {
    const snapshot = sessionIdSchema.safeParse(id).success ? this.#find(id) : undefined;
    if (snapshot) return snapshot;
    throw new ApiError(404, 'session_not_found', `There is no session '${id}'.`);
  }

  #find(id: string): SessionSnapshot | undefined {
    const kept = this.#kept.get(id);
    if (kept) return kept.snapshot;
    const path = this.#pathOf(id);
    return existsSync(path) ? decodeSnapshot(readRegularFile(path), path) : undefined;
  }

  async #keep(id: string, snapshot: SessionSnapshot): Promise<void> {
    // Those used last stand at the end.
    this.#kept.delete(id);
    this.#kept.set(id, { snapshot, isSaved: false });
    while (this.#kept.size > this.limit) {
      const [oldest, kept] = this.#kept.entries().next().value!;
      if (!kept.isSaved) await this.#write(oldest, kept);
      if (this.#kept.get(oldest) === kept) this.#kept.delete(oldest);
    }
  }

  async #write(id: string, kept: Kept): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    await writeFileAtomically(this.#pathOf(id), encodeSnapshot(kept.snapshot));
    kept.isSaved = true;
  }

  #pathOf(id: string): string {
    return join(this.folder, id + ENDING);
  }
}

const bytesOf = ({ state }: SessionSnapshot): number =>
  Object.values(state).reduce((sum, { data }) => sum + data.byteLength, 0);
