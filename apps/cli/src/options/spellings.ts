import type { Field } from './fields.js';

/**
 * Rewrites other spellings of flags to ours: `--seq 64`, `--no_valpath` and `--label_smoothing=0.1` become
 * `--seq-len 64`, `--no-value-path` and `--label-smoothing=0.1`. Everything after `--` stays as it is.
 */
export function normaliseSpellings(args: readonly string[], fields: readonly Field[]): string[] {
  const names = new Map(
    fields.flatMap(({ flag, meta }) =>
      (meta.aliases ?? []).map((alias) => [hyphenated(alias), flag] as const),
    ),
  );
  const end = args.indexOf('--');
  return args.map((argument, index) => {
    if (!argument.startsWith('--') || argument === '--' || (end !== -1 && index > end)) return argument;
    const [name, ...value] = argument.slice(2).split('=') as [string, ...string[]];
    const plain = hyphenated(name);
    return [`--${names.get(plain) ?? plain}`, ...value].join('=');
  });
}

function hyphenated(name: string): string {
  return name.replaceAll('_', '-');
}
