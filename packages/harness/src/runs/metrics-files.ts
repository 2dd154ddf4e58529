import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainingEvent } from '@palimpsest/lm';
import { scalarRecord, versionRecord } from './event-records.js';

/** Forms of the metrics for other programs, beside `metrics.jsonl`. */
export const metricsFormats = ['csv', 'tensorboard'] as const;
export type MetricsFormat = (typeof metricsFormats)[number];

interface Writer {
  readonly file: string;
  begin(): string | Buffer;
  /** What an event adds; nothing for events without numbers. */
  add(event: TrainingEvent): string | Buffer | undefined;
}

const COLUMNS = [
  ...['step', 'loss', 'gradient_norm', 'learning_rate', 'tokens', 'tokens_per_second'],
  ...['held_out_loss', 'held_out_bits_per_character', 'held_out_accuracy'],
] as const;

/** The numbers of an event, by the names of the columns. */
function numbersOf(
  event: TrainingEvent,
): Partial<Record<(typeof COLUMNS)[number], number | undefined>> | undefined {
  if (event.type === 'step') {
    return {
      step: event.step,
      loss: event.loss,
      gradient_norm: event.gradientNorm,
      learning_rate: event.rates.default,
      tokens: event.tokens,
      tokens_per_second: event.tokensPerSecond,
    };
  }
  if (event.type !== 'validation') return undefined;
  const { loss, bitsPerCharacter, accuracy } = event.result;
  return {
    step: event.step,
    held_out_loss: loss,
    held_out_bits_per_character: bitsPerCharacter,
    held_out_accuracy: accuracy,
  };
}

const writers: Readonly<Record<MetricsFormat, Writer>> = {
  csv: {
    file: 'metrics.csv',
    begin: () => `${COLUMNS.join(',')}\n`,
    add(event) {
      const numbers = numbersOf(event);
      return numbers && `${COLUMNS.map((column) => numbers[column] ?? '').join(',')}\n`;
    },
  },
  tensorboard: {
    file: 'events.out.tfevents.0.palimpsest',
    begin: () => versionRecord(Date.now() / 1000),
    add(event) {
      const { step, ...numbers } = numbersOf(event) ?? {};
      if (step === undefined) return undefined;
      const scalars = Object.entries(numbers).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, value] as const],
      );
      return scalarRecord({ wallTime: Date.now() / 1000, step, scalars: Object.fromEntries(scalars) });
    },
  },
};

/** Names of the files that a run may write its metrics to, besides its own. */
export const METRICS_FILES = Object.values(writers).map(({ file }) => file);

/** The files of a run's metrics for other programs: those asked for, and those that the folder has already. */
export class MetricsFiles {
  readonly #open: readonly Writer[];

  /** @param past events so far, which every file begins with */
  constructor(
    private readonly folder: string,
    formats: readonly MetricsFormat[],
    past: readonly TrainingEvent[],
  ) {
    this.#open = metricsFormats
      .filter((format) => formats.includes(format) || existsSync(join(folder, writers[format].file)))
      .map((format) => writers[format]);
    for (const writer of this.#open) {
      const parts = [writer.begin(), ...past.map((event) => writer.add(event) ?? '')];
      writeFileSync(join(folder, writer.file), Buffer.concat(parts.map((part) => Buffer.from(part))));
    }
  }

  record(event: TrainingEvent): void {
    for (const writer of this.#open) {
      const part = writer.add(event);
      if (part !== undefined) appendFileSync(join(this.folder, writer.file), part);
    }
  }
}
