/** What a run that ended can be used for. */
interface EndedRun {
  readonly model?: string | undefined;
  readonly step?: number | undefined;
}

/** Command lines that can follow a run, as they can be typed where this one was. */
export function nextCommands(folder: string, { model, step = 0 }: EndedRun): string[] {
  const palimpsest = process.env.npm_command === 'exec' ? 'npx palimpsest' : 'palimpsest';
  const place = quoted(folder);
  return [
    'What comes next:',
    `  ${palimpsest} generate ${place} --prompt "Once"`,
    `  ${palimpsest} chat ${place}`,
    `  ${palimpsest} score ${place} --text-path other.txt`,
    ...(model === undefined ? [] : [`  ${palimpsest} train ${model} --load ${place} --steps ${step * 2}`]),
  ];
}

/** A path as a shell takes it. */
function quoted(path: string): string {
  return /^[\w./\\:@%+,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
