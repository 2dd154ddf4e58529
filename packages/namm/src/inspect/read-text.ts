import type { Transformer, TransformerParameters } from '@palimpsest/backbone';
import { type Engine, InputError, type NDArray, ndarray, type ToHost } from '@palimpsest/tensor-core';
import { manageTransformer } from '../managed/managed-transformer.js';
import { nextUpdate, type Schedule } from '../managed/schedule.js';
import type { UpdateReport } from '../managed/update.js';
import type { CachePolicy } from '../policy/policy.js';

/** What an update made of a token in one head. */
export interface Verdict {
  /** Tokens read when it fell. */
  readonly seen: number;
  readonly score: number;
  readonly stays: boolean;
}

/** A token in the cache of one head. */
export interface TokenLife {
  readonly verdicts: readonly Verdict[];
  /** Average spectrum of the attention that it received, at its last update; absent for policies that watch none. */
  readonly spectrum?: readonly number[];
}

/** The tokens of a text in one head. */
export interface HeadLives {
  readonly layer: number;
  readonly head: number;
  /** By original position. */
  readonly lives: readonly TokenLife[];
}

/** What a policy did with the cache while a text was read. */
export interface ReadText {
  readonly tokens: Int32Array;
  /** Tokens read at each update. */
  readonly updates: readonly number[];
  /** When they came. */
  readonly schedule: Schedule;
  readonly heads: readonly HeadLives[];
}

export interface ReadTextOptions {
  readonly engine: Engine;
  readonly model: Transformer;
  readonly params: ToHost<TransformerParameters>;
  readonly policy: CachePolicy;
  readonly schedule: Partial<Schedule>;
  readonly tokens: Int32Array;
}

type OpenLife = { verdicts: Verdict[]; spectrum?: number[] };

/**
 * Reads a text under a policy and keeps what every update made of every token.
 * @throws InputError for a policy that forgets nothing, or a text that ends before the first update.
 */
export async function readText(options: ReadTextOptions): Promise<ReadText> {
  const { engine, model, params, policy, tokens } = options;
  if (policy.retention.kind === 'everything') {
    throw new InputError(`The policy '${policy.name}' forgets nothing, so that no update could be shown.`);
  }
  const managed = manageTransformer(model, policy, options.schedule);
  const first = nextUpdate(managed.schedule, 0, 0);
  if (tokens.length < first) {
    throw new InputError(
      `Nothing is forgotten before ${first} tokens, but this text has ${tokens.length}; take a longer one, or a smaller interval.`,
    );
  }
  const updates: number[] = [];
  const heads = new Map<string, { layer: number; head: number; lives: OpenLife[] }>();
  const onUpdate = (report: UpdateReport) => {
    updates.push(report.seen);
    for (const layer of report.layers) note(heads, tokens.length, report.seen, layer);
  };
  const reader = managed.compile(engine, params);
  const texts = reader.read(1, { onUpdate, reportsCarried: true });
  try {
    const logits = await texts.read(ndarray(tokens, [1, tokens.length], 'int32'));
    logits.dispose();
  } finally {
    await texts.dispose();
    await reader.dispose();
  }
  return { tokens, updates, schedule: managed.schedule, heads: [...heads.values()] };
}

function note(
  heads: Map<string, { layer: number; head: number; lives: OpenLife[] }>,
  tokens: number,
  seen: number,
  { layer, scores, positions, kept, carried }: UpdateReport['layers'][number],
): void {
  const [, count, slots] = positions.shape as [number, number, number];
  const most = kept.shape[2]!;
  for (let head = 0; head < count; head++) {
    const key = `${layer}/${head}`;
    const own = heads.get(key) ?? {
      ...{ layer, head },
      lives: Array.from({ length: tokens }, (): OpenLife => ({ verdicts: [] })),
    };
    heads.set(key, own);
    const staying = new Set(kept.data.subarray(head * most, (head + 1) * most));
    for (let slot = 0; slot < slots; slot++) {
      const position = positions.data[head * slots + slot]!;
      if (position < 0) continue;
      const life = own.lives[position]!;
      const score = Number(scores.data[head * slots + slot]);
      life.verdicts.push({ seen, score, stays: staying.has(slot) });
      const average = carried?.average;
      if (average) life.spectrum = column(average, head, slot);
    }
  }
}

/** What is carried about one slot of `[1, heads, width, slots]`. */
function column({ data, shape }: NDArray, head: number, slot: number): number[] {
  const [, , width, slots] = shape as [number, number, number, number];
  return Array.from({ length: width }, (_, row) => Number(data[(head * width + row) * slots + slot]));
}
