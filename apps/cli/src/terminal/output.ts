/** How a verb talks: results go to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  readonly quiet: boolean;
  /** A result for people; not printed with `--json`. */
  print(text: string): void;
  /** A piece of a result that comes bit by bit; not printed with `--json`. */
  write(text: string): void;
  /** The result for machines; printed only with `--json`, as one document. */
  emit(value: unknown): void;
  /** A remark while the work goes on; not printed with `--quiet`. */
  note(text: string): void;
  /** A remark that is printed at most once per process. */
  noteOnce(text: string): void;
}

export function createOutput(options: { readonly json?: boolean; readonly quiet?: boolean }): Output {
  const { json = false, quiet = false } = options;
  const seen = new Set<string>();
  const note = (text: string) => {
    if (!quiet) process.stderr.write(`${printable(text)}\n`);
  };
  return {
    json,
    quiet,
    print(text) {
      if (!json) process.stdout.write(`${printable(text)}\n`);
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
  };
}

/** Text of files and results as it may stand on a terminal: signs that would steer it are shown by their numbers. */
export function printable(text: string): string {
  return text.replace(CONTROL, (sign) => `\\x${sign.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for.
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Whether a stream may carry colours: a terminal, without NO_COLOR (https://no-color.org). */
export function mayColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
}
