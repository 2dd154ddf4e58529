import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** Leaves a line in a file, so that a test can count what was computed, in whichever process. */
function note(log, line) {
  if (log !== '') appendFileSync(log, `${line}\n`);
}

const common = {
  log: z.string().default('').describe('file that gets a line per execution'),
  sleep: z.number().default(0).describe('milliseconds that the task takes'),
};

async function timed({ seed, signal, progress }, options, name) {
  note(options.log, `start ${name} ${seed} ${Date.now()}`);
  progress(0.5, 'half way');
  await sleep(options.sleep, undefined, { signal });
  note(options.log, `end ${name} ${seed} ${Date.now()}`);
}

const sum = {
  name: 'sum',
  family: 'recall',
  title: 'Sum',
  description: 'Adds the numbers up to a limit to the seed.',
  options: z.object({ terms: z.int().min(1).default(3).describe('numbers to add'), ...common }),
  contenders: 'any',
  headline: { metric: 'sum', unit: '', higherIsBetter: true },
  chance: ({ terms }) => terms / 10,
  async run(context, options) {
    await timed(context, options, 'sum');
    const { terms } = options;
    return {
      metrics: [{ name: 'sum', value: context.seed + (terms * (terms + 1)) / 2, unit: '' }],
      modelConfig: { width: context.contestant.options.width, learningRate: context.learningRate },
    };
  },
};

const clock = {
  name: 'clock',
  family: 'efficiency',
  title: 'Clock',
  description: 'Takes its time, alone.',
  options: z.object(common),
  contenders: 'none',
  headline: { metric: 'seconds', unit: 's', higherIsBetter: false },
  async run(context, options) {
    await timed(context, options, 'clock');
    return { metrics: [{ name: 'seconds', value: options.sleep / 1000, unit: 's' }] };
  },
};

const ENDINGS = {
  throw: () => {
    throw new Error('The toy is broken.\nIt has a second line.');
  },
  exit: () => process.exit(7),
  signal: () => process.kill(process.pid, 'SIGSEGV'),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  uncaught: () => {
    queueMicrotask(() => {
      throw new TypeError('nobody catches this');
    });
  },
  memory: () => {
    const held = [];
    for (;;) held.push(new Array(1e5).fill(held.length));
  },
  hang: () => {
    for (;;);
  },
  nonsense: () => ({ metrics: [{ name: 'sum', value: Number.NaN, unit: '' }] }),
};

const crash = {
  name: 'crash',
  family: 'recall',
  title: 'Crash',
  description: 'Ends badly in the way that is asked for.',
  options: z.object({
    how: z.enum(Object.keys(ENDINGS)).default('throw').describe('the way'),
    ...common,
  }),
  contenders: 'none',
  headline: { metric: 'survived', unit: '', higherIsBetter: true },
  async run(context, options) {
    await timed(context, options, 'crash');
    const outcome = ENDINGS[options.how]();
    await sleep(20);
    return outcome ?? { metrics: [] };
  },
};

const width = z.int().min(1).default(8).describe('numbers per token');

/** A card whose tasks and contenders take no time, for whatever runs cells. */
export const mechanism = {
  name: 'toys',
  title: 'Toys',
  description: 'Tasks and contenders that take no time.',
  memory: 'none',
  tasks: [sum, clock, crash],
  contenders: [
    {
      name: 'line',
      title: 'Line',
      mechanism: 'line',
      description: 'A trained toy.',
      kind: 'trained',
      options: z.object({ width }),
      learningRate: 0.01,
      create: () => {
        throw new Error('The toy has no model.');
      },
    },
    {
      name: 'table',
      title: 'Table',
      mechanism: 'table',
      description: 'A counted toy.',
      kind: 'counted',
      options: z.object({}),
      count: () => {
        throw new Error('The toy has no model.');
      },
    },
  ],
};
