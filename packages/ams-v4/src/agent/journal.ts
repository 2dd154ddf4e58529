import { fnv1a, hex32, InputError, nodeModule, writeFileAtomically } from '@palimpsest/base';

/** Something that happened to a memory; numbers of events rise by one. */
export interface JournalEvent {
  readonly seq: number;
  readonly op: 'add' | 'update' | 'forget' | 'touch';
  readonly [member: string]: unknown;
}

/** The file of a folder in which a memory is: where it is, a memory is. */
export const JOURNAL = 'memory.jsonl';

const files = () => nodeModule('node:fs').promises;

const checksum = (line: string): string => hex32(fnv1a(line));

const lineOf = (event: object): string => {
  const json = JSON.stringify(event);
  return `${checksum(json)} ${json}\n`;
};

/**
 * A file of events, one per line with a checksum, that a process may leave at any moment: an event is on the disk when `append` returns,
 * and a line that was cut off is no event. From time to time the file is written anew with what still counts, under another name and
 * then renamed.
 */
export class Journal {
  #seq = 0;
  #lines = 0;
  #handle: Awaited<ReturnType<ReturnType<typeof files>['open']>> | undefined;

  private constructor(readonly path: string) {}

  /**
   * Opens a journal and reads its events; a file that is not there is an empty one.
   * @throws InputError naming the line for a file that is no journal, or damaged before its last line.
   */
  static async open(path: string): Promise<{ journal: Journal; events: JournalEvent[] }> {
    const { readFile, open } = files();
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw new InputError(`The memory '${path}' cannot be read: ${error.message}.`);
    });
    const journal = new Journal(path);
    const { events, whole } = parse(text, path);
    journal.#seq = events.at(-1)?.seq ?? 0;
    journal.#lines = events.length;
    journal.#handle = await open(path, 'a').catch((error: Error) => {
      throw new InputError(`The memory '${path}' cannot be written: ${error.message}.`);
    });
    // What was cut off would run into the next event.
    if (whole < Buffer.byteLength(text)) {
      await journal.#handle.truncate(whole).catch(async (error: Error) => {
        await journal.close();
        throw new InputError(`The memory '${path}' cannot be written: ${error.message}.`);
      });
    }
    return { journal, events };
  }

  /** Lines of the file. */
  get lines(): number {
    return this.#lines;
  }

  /** Writes an event; it is on the disk afterwards. */
  async append(op: JournalEvent['op'], members: Readonly<Record<string, unknown>>): Promise<void> {
    if (!this.#handle) throw new InputError(`The memory '${this.path}' is closed.`);
    this.#seq += 1;
    await this.#handle.appendFile(lineOf({ seq: this.#seq, op, ...members }));
    await this.#handle.datasync();
    this.#lines += 1;
  }

  /** Puts events in the place of all that there are: the file is the former or the new one at any moment. */
  async compact(events: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    const lines = events.map((members, i) => lineOf({ seq: this.#seq + 1 + i, op: 'add', ...members }));
    await writeFileAtomically(this.path, new TextEncoder().encode(lines.join('')));
    await this.close();
    this.#handle = await files().open(this.path, 'a');
    this.#seq += lines.length;
    this.#lines = lines.length;
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

/** Events of a file, and the bytes of those that are whole. */
function parse(text: string, path: string): { events: JournalEvent[]; whole: number } {
  const events: JournalEvent[] = [];
  let whole = 0;
  const lines = text.split('\n');
  for (const [number, line] of lines.entries()) {
    const isLast = number >= lines.length - 2;
    if (line === '') continue;
    const json = line.slice(9);
    const isCutOff = number === lines.length - 1;
    if (isCutOff || line[8] !== ' ' || checksum(json) !== line.slice(0, 8)) {
      if (isLast) break;
      throw new InputError(
        `The memory '${path}' is damaged or no memory: line ${number + 1} does not have the checksum that it states.`,
      );
    }
    events.push(JSON.parse(json) as JournalEvent);
    whole += Buffer.byteLength(line) + 1;
  }
  return { events, whole };
}
