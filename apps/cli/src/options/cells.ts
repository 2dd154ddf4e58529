import { z } from 'zod';
import { engineOptions, outputOptions } from './common.js';

const threads = z
  .int()
  .min(1)
  .optional()
  .meta({ description: 'threads that the workers share (default: all cores)', value: 'count' });

/** Where the queue is, for sweeps on several machines. */
export const queueOptions = {
  redis: z
    .string()
    .optional()
    .meta({ description: 'Redis server of the queue, as in redis://host:6379', value: 'url' }),
  queue: z.string().default('palimpsest').meta({ description: 'name of the queue', value: 'name' }),
};

/** How cells are computed on one machine. */
export const workerOptions = {
  workers: z.int().min(1).optional().meta({
    description: 'cells side by side, each in its own process (default: by cores and memory)',
    value: 'count',
  }),
  threads,
  timeout: z
    .number()
    .gt(0)
    .optional()
    .meta({ description: 'seconds after which a cell is given up (default: never)', value: 'seconds' }),
  nodeOptions: z
    .string()
    .optional()
    .meta({ description: "flags for the processes' Node, as in --max-old-space-size=8192", value: 'flags' }),
};

/** Options of every verb that computes cells. */
export const cellOptions = {
  engine: engineOptions.engine,
  ...workerOptions,
  executor: z
    .enum(['processes', 'in-process', 'bullmq'])
    .default('processes')
    .meta({ description: 'processes of this machine, this very process, or the workers of a queue' }),
  ...queueOptions,
  shard: z.string().optional().meta({
    description: 'only part i of n of the cells, as in 2/8: the key of a cell decides',
    value: 'i/n',
  }),
  resume: z.boolean().default(true).meta({ description: 'leave finished cells of the folder as they are' }),
  retryFailed: z.boolean().default(true).meta({ description: 'compute cells again that failed before' }),
  ...outputOptions,
};
