import type { ConversationAdapters, KeyValueMemory, TextModel } from '@palimpsest/ams-v4';
import { aggregate, type ModeResult } from './aggregate.js';
import { type AskedQuestion, askSession } from './ask-session.js';
import { mergeGate, type Verdict } from './gate.js';
import { generateSession } from './generate-session.js';
import type { Mode } from './modes.js';
import type { Pack } from './pack.js';
import type { SessionOptions } from './session.js';
import { logitsAreUntouched } from './untouched-logits.js';

const BYTE_PARTS = ['directions', 'keyValues', 'slots', 'text', 'bookkeeping'] as const;

/** What sessions of a suite are like, by their number of facts. */
export const suites = {
  base: { description: 'half of the other facts like those asked for; the gate', options: () => ({}) },
  paraphrase: {
    description: 'wordings that no adapter was trained on',
    options: () => ({ factTemplates: [2], queryTemplates: [2] }),
  },
  hard: { description: 'all other facts like those asked for', options: () => ({ hard: 1 }) },
  updates: {
    description: 'half of the facts change; the last one holds',
    options: () => ({ updateRate: 0.5 }),
  },
  contrast: {
    description: 'few relations of many subjects: a question needs both',
    options: (facts: number) => ({ hard: 1, contrast: Math.ceil(facts / 4) }),
  },
  'two-hop': {
    description: "what somebody's friend has: a question needs two memories",
    options: () => ({ hops: 2 }),
  },
} as const satisfies Record<string, { description: string; options(facts: number): Partial<SessionOptions> }>;

export type Suite = keyof typeof suites;

export interface ViabilityOptions {
  readonly suite: Suite;
  /** Numbers of facts. */
  readonly facts: readonly number[];
  /** Sessions per number of facts; their seeds are firstSeed, firstSeed + 1, … */
  readonly sessions: number;
  /** Questions per session, where it has so many facts to ask for. Default 10. */
  readonly questions?: number | undefined;
  readonly firstSeed: number;
  readonly modes: readonly Mode[];
  readonly maxTokens: number;
  /** A fact that changes takes the place of what held before. Default: both stay. */
  readonly replaces?: boolean | undefined;
  readonly onSession?: (facts: number, done: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a run came to, and what it was made of. */
export interface ViabilityReport {
  readonly schema: 2;
  readonly suite: Suite;
  readonly prefixMode: string;
  readonly keyValueForm: string;
  readonly sessions: readonly SessionOptions[];
  readonly results: readonly {
    readonly facts: number;
    readonly modes: Readonly<Partial<Record<Mode, ModeResult>>>;
  }[];
  /** Bytes of a memory, mean. */
  readonly bytesPerMemory: Readonly<Record<keyof ReturnType<KeyValueMemory['bytes']>, number>>;
  readonly gate: Verdict;
  readonly failures: readonly ({ readonly facts: number; readonly mode: Mode } & AskedQuestion)[];
}

/** Tells generated sessions to a memory, asks about them in all modes, and holds the result against the gate. */
export async function runViability(
  text: TextModel,
  adapters: ConversationAdapters,
  pack: Pack,
  options: ViabilityOptions,
): Promise<ViabilityReport> {
  const { suite, modes, maxTokens, replaces, sessions: count, questions = 10, firstSeed } = options;
  const results: { facts: number; modes: Partial<Record<Mode, ModeResult>> }[] = [];
  const [all, failures]: [SessionOptions[], ViabilityReport['failures'][number][]] = [[], []];
  const bytes = { directions: 0, keyValues: 0, slots: 0, text: 0, bookkeeping: 0 };
  let memories = 0;
  for (const facts of options.facts) {
    const asked = new Map<Mode, AskedQuestion[]>(modes.map((mode) => [mode, []]));
    for (let i = 0; i < count && !options.signal?.aborted; i++) {
      const chosen = {
        seed: firstSeed + i,
        facts,
        queries: questions,
        split: 'heldOut',
        ...suites[suite].options(facts),
      } as const;
      const session = generateSession(pack, chosen);
      const own = await askSession(text, adapters, pack, chosen, session, {
        modes,
        maxTokens,
        replaces,
      });
      all.push(chosen);
      for (const mode of modes) {
        const list = own.results[mode] ?? [];
        asked.get(mode)!.push(...list);
        failures.push(...list.filter(({ firstHit }) => !firstHit).map((one) => ({ facts, mode, ...one })));
      }
      for (const part of BYTE_PARTS) bytes[part] += own.bytes[part];
      memories += own.memories;
      options.onSession?.(facts, i + 1);
    }
    results.push({
      facts,
      modes: Object.fromEntries([...asked].map(([mode, list]) => [mode, aggregate(list)])),
    });
  }
  const first = all[0] && generateSession(pack, all[0]);
  const untouched = first ? await logitsAreUntouched(text, adapters, first) : null;
  return {
    schema: 2,
    suite,
    prefixMode: adapters.config.prefixMode,
    keyValueForm: adapters.config.kvDtype === 'kakeya' && !adapters.rows ? 'int8' : adapters.config.kvDtype,
    sessions: all,
    results,
    bytesPerMemory: {
      directions: bytes.directions / memories,
      keyValues: bytes.keyValues / memories,
      slots: bytes.slots / memories,
      text: bytes.text / memories,
      bookkeeping: bytes.bookkeeping / memories,
    },
    gate: mergeGate(new Map(results.map(({ facts, modes: own }) => [facts, own])), untouched),
    failures,
  };
}
