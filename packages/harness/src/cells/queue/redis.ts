import { InputError } from '@palimpsest/tensor-core';
import type { RedisOptions } from 'bullmq';

export type Bullmq = typeof import('bullmq');

export interface QueueAddress {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly redis: string;
  /** Name of the queue, for several sweeps on one server. Default 'palimpsest'. */
  readonly queue?: string;
}

/** Milliseconds that a server has to answer the first time. */
const CONNECT_TIMEOUT = 5000;

/**
 * Loads the queue's library and makes sure that the server answers.
 * @throws InputError with the command that helps when the library is missing, or when the server cannot be reached.
 */
export async function openQueue({ redis, queue = 'palimpsest' }: QueueAddress): Promise<{
  readonly bullmq: Bullmq;
  readonly name: string;
  readonly connection: RedisOptions;
}> {
  if (!/^[\w.-]+$/.test(queue)) {
    throw new InputError(
      `A queue's name is made of letters, digits, '.', '_' and '-', but '${queue}' was given.`,
    );
  }
  const { bullmq, Redis } = await loadLibraries();
  await knock(Redis, redis);
  return { bullmq, name: queue, connection: { url: redis, maxRetriesPerRequest: null } };
}

async function loadLibraries() {
  try {
    const [bullmq, { Redis }] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bullmq, Redis };
  } catch (error) {
    if (!/MODULE_NOT_FOUND/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new InputError(
      'Sharing cells through Redis needs two packages that are not installed; run `npm install bullmq ioredis`.',
    );
  }
}

async function knock(Redis: typeof import('ioredis').Redis, url: string): Promise<void> {
  if (!/^rediss?:\/\//.test(url)) {
    throw new InputError(`A Redis server is given as redis://host:port, but '${url}' was given.`);
  }
  const database = databaseOf(url);
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_TIMEOUT,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason = '';
  client.on('error', (error: Error) => {
    reason ||= error.message;
  });
  try {
    await client.connect();
    await client.ping();
    // The client goes on with database 0 when the server refuses the one of the address.
    await client.select(database);
  } catch (error) {
    throw new InputError(
      `The Redis server ${withoutPassword(url)} cannot be used (${reason || (error as Error).message}); start one, or give another --redis.`,
    );
  } finally {
    client.disconnect();
  }
}

/** The database that an address names, 0 when it names none. @throws InputError when it is no number. */
function databaseOf(url: string): number {
  const path = /^rediss?:\/\/[^/?#]*\/?([^?#]*)/.exec(url)?.[1] ?? '';
  const query = /[?&]db=([^&#]*)/.exec(url)?.[1];
  for (const part of [path, query ?? '']) {
    if (!/^\d*$/.test(part)) {
      throw new InputError(
        `The address of a Redis server ends in the number of a database, as redis://host:6379/0, but '${part}' was given in ${withoutPassword(url)}.`,
      );
    }
  }
  return Number(query || path || 0);
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
