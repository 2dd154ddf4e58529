import { fnv1a, hex32 } from '@palimpsest/base';
import type { MemEntry } from '@palimpsest/fiber-geometry';
import type { PerBundle } from '../prefix/cross-bundle-attention.js';
import type { ConversationAdapters } from './adapters.js';
import { directionBytes } from './direction-codes.js';
import type { StoredMemory } from './memory-records.js';
import type { RowCodec } from './row-codec.js';

/** By what a stored memory is known to fit adapters: the form of its keys and values, and the maps that directed it. */
export const formOf = (
  { name, bytesPerRow }: RowCodec,
  { config, heads }: Pick<ConversationAdapters, 'config' | 'heads'>,
): string =>
  `${name} ${bytesPerRow} ${config.directionDtype} ${config.prefixMode} ${hex32(fnv1a(heads.memory.topic.weight.data))}`;

/** The fields of a store's entry for directions: the points are the directions, and no fibers are kept. */
export const coordinatesOf = ({ time, topic, ctx }: PerBundle<Float32Array>) => ({
  timeBase: time,
  timeFiber: [0],
  timeDirn: time,
  topicBase: topic,
  topicFiber: [0],
  topicDirn: topic,
  ctxBase: ctx,
  ctxFiber: [0],
  ctxDirn: ctx,
});

/** An entry of the store as it can be kept. */
export const storedOf = (
  entry: Pick<MemEntry, 'sourceText' | 'ts' | 'timeDirn' | 'topicDirn' | 'ctxDirn' | 'contentTokenIds'>,
  config: ConversationAdapters['config'],
  beside: Pick<StoredMemory, 'form' | 'keyValues' | 'summary'>,
): StoredMemory => ({
  ...beside,
  text: entry.sourceText,
  ts: entry.ts,
  directions: directionBytes({ time: entry.timeDirn, topic: entry.topicDirn, ctx: entry.ctxDirn }, config),
  tokens: entry.contentTokenIds,
});
