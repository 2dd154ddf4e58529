import { displayWidth } from '@palimpsest/base';
import { MultiBar, Presets } from 'cli-progress';

/** The last line of a terminal, drawn anew as the work goes on, with remarks above it. */
export interface LiveLine {
  /** Writes lines above. */
  log(lines: string): void;
  /** Leaves the line as it is now, and goes to the next one. */
  stop(): void;
}

/** What a line shows: how much is done, and in words what, the first words being the most needed. */
export interface LineContents {
  readonly title?: string | undefined;
  /** From 0 to 1. */
  readonly share: number;
  readonly parts: readonly string[];
}

const LONGEST_BAR = 30;
const SHORTEST_BAR = 8;
/** What is longer names something, and its beginning says enough. */
const LONGEST_PART = 32;

/** Draws a line on standard error, ten times a second. @param contents asked for at every drawing */
export function openLiveLine(contents: () => LineContents): LiveLine {
  const bars = new MultiBar(
    {
      format: (_options, { maxWidth }) => lineOf(contents(), maxWidth - 1),
      stream: process.stderr,
      hideCursor: true,
      linewrap: true,
      // What is logged wipes the line.
      forceRedraw: true,
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
  bars.create(1, 0);
  return {
    log: (lines) => bars.log(`${lines}\n`),
    stop() {
      // Only a drawing writes what was logged.
      bars.update();
      bars.stop();
    },
  };
}

/** As many parts as there is room for, the last one shortened when it is long, and a bar in the rest. */
export function lineOf({ title, share, parts }: LineContents, width: number): string {
  const head = title === undefined ? '' : `${title} `;
  let room = width - displayWidth(head) - (SHORTEST_BAR + 1);
  const shown: string[] = [];
  for (const whole of parts) {
    const gap = shown.length > 0 ? 2 : 0;
    const part = displayWidth(whole) > LONGEST_PART ? shortened(whole, room - gap) : whole;
    const wide = displayWidth(part) + gap;
    if (part === '' || wide > room) break;
    room -= wide;
    shown.push(part);
  }
  const size = Math.max(0, Math.min(LONGEST_BAR, SHORTEST_BAR + room));
  const full = Math.round(Math.min(1, Math.max(0, share)) * size);
  return `${head}${'█'.repeat(full)}${'░'.repeat(size - full)} ${shown.join(', ')}`;
}

/** The beginning of a text, or nothing where too little of it would be left. */
function shortened(text: string, room: number): string {
  const signs = [...text];
  if (signs.length <= room) return text;
  return room < LONGEST_PART / 2 ? '' : `${signs.slice(0, room - 1).join('')}…`;
}
