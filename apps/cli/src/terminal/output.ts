import { wrapLine } from '@palimpsest/base';
import type { LiveLine } from './live-line.js';

/** How a verb talks: results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** Characters of a line of the terminal that results are printed to; Infinity where they go elsewhere. */
  readonly width: number;
  /** A result for people; not printed with `--json`. */
  print(text: string): void;
  /** A piece of a result that comes bit by bit; not printed with `--json`. */
  write(text: string): void;
  /** The result for machines; printed only with `--json`, as one document. */
  emit(value: unknown): void;
  /** A remark while the work goes on; not printed with `--quiet`. Where a line shows progress, it stands above it. */
  note(text: string): void;
  /** A remark that is printed at most once per process. */
  noteOnce(text: string): void;
  /** Gives remarks to a line that shows progress, until the returned function is called. */
  during(line: LiveLine): () => void;
}

export function createOutput(options: { readonly json?: boolean; readonly quiet?: boolean }): Output {
  const { json = false, quiet = false } = options;
  const seen = new Set<string>();
  const live: LiveLine[] = [];
  const note = (text: string) => {
    if (quiet) return;
    const lines = laidOut(text, widthOf(process.stderr));
    const line = live.at(-1);
    if (line) line.log(lines);
    else process.stderr.write(`${lines}\n`);
  };
  return {
    json,
    quiet,
    get width() {
      return widthOf(process.stdout);
    },
    print(text) {
      if (!json) process.stdout.write(`${laidOut(text, widthOf(process.stdout))}\n`);
    },
    write(text) {
      if (!json) process.stdout.write(text);
    },
    emit(value) {
      if (json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
    note,
    noteOnce(text) {
      if (seen.has(text)) return;
      seen.add(text);
      note(text);
    },
    during(line) {
      live.push(line);
      return () => {
        live.splice(live.indexOf(line), 1);
      };
    },
  };
}

/** Characters of a line of a terminal; Infinity for a file or a pipe. */
function widthOf(stream: NodeJS.WriteStream): number {
  return stream.isTTY === true ? stream.columns || 80 : Number.POSITIVE_INFINITY;
}

/** Text as it may stand on a terminal: no signs that steer it, and lines broken where words end. */
export function laidOut(text: string, width: number): string {
  const lines = printable(text).split('\n');
  return lines.flatMap((line) => wrapLine(line, width, /^\s*/.exec(line)![0].length + 2)).join('\n');
}

/** Text of files and results as it may stand on a terminal: signs that would steer it are shown by their numbers. */
export function printable(text: string): string {
  return text.replace(CONTROL, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for.
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;
