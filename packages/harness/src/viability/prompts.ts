import type { ConversationConfig, FoundMemory, TextModel } from '@palimpsest/ams-v4';
import type { Mode } from './modes.js';
import type { Session, SessionFact } from './session.js';

/** Texts that stand in a prompt of the modes B. */
const TEXTS = 3;
/** Memories that retrieval is measured over. */
export const LOOKED = 4;

/** What is asked, behind which memories, and what retrieval found for it. */
export interface Prompt {
  readonly ids: readonly number[];
  readonly memories: readonly number[];
  readonly truncated: boolean;
  readonly rank: number;
  readonly looked: number;
}

/** How facts, questions and texts of memories stand in prompts, and how many memories before them at most. */
export type PromptForms = Pick<
  ConversationConfig,
  'fusedTopK' | 'leadIn' | 'memoryForm' | 'queryForm' | 'contextForm'
>;

const put = (form: string, text: string): string => form.replace('{text}', () => text);

/** Place of the fact that answers a question. */
export const answerOf = (facts: readonly SessionFact[], query: number): number =>
  facts.findIndex(({ kind, target }) => target === query && (kind === 'core' || kind === 'update'));

/** Places of the facts that a question needs: first the one that answers it, then the one that says of whom it is. */
export const neededBy = (facts: readonly SessionFact[], query: number): number[] => {
  const bridge = facts.findIndex(({ kind, target }) => target === query && kind === 'bridge');
  const answer = answerOf(facts, query);
  return bridge === -1 ? [answer] : [answer, bridge];
};

/** The rank, from 1, at which the last of what is needed was found; 0 where something is missing. */
export const rankOfAll = (found: readonly number[], needed: readonly number[]): number => {
  const ranks = needed.map((one) => found.indexOf(one) + 1);
  return ranks.includes(0) ? 0 : Math.max(...ranks);
};

/** The prompt of a question in a mode, and the memories that stand before it. */
export function promptOf(
  mode: Mode,
  text: TextModel,
  { fusedTopK, leadIn, memoryForm, queryForm, contextForm }: PromptForms,
  session: Session,
  query: number,
  told: readonly number[],
  found: readonly FoundMemory[],
  flat: readonly number[],
): Prompt {
  const asked = put(queryForm, session.queries[query]!.text);
  const places = neededBy(session.facts, query);
  const right = places.map((place) => told[place]!);
  const ranked = found.map(({ mid }) => mid);
  const kept = found.slice(0, fusedTopK).flatMap(({ mid, kept }) => (kept ? [mid] : []));
  const facts = (places: readonly number[], form: string) =>
    places.map((at) => put(form, session.facts[at]!.text));
  const best = (count: number) => found.slice(0, count).map((one) => put(contextForm, one.text));
  const made = (
    before: readonly string[],
    memories: readonly number[],
    looked: readonly number[] = ranked,
  ): Prompt => {
    const { ids, truncated } = fitting(text, before, asked, leadIn === '');
    return {
      ids,
      truncated,
      memories,
      rank: rankOfAll(looked, mode === 'B_flat_cos' ? places : right),
      looked: looked.length,
    };
  };
  switch (mode) {
    case 'Z_no_memory':
      return made([], [], []);
    case 'D_full_history':
      return made(facts([...session.facts.keys()], memoryForm), [], []);
    case 'B_flat_cos':
      return made(facts(flat.slice(0, TEXTS), contextForm), [], flat.slice(0, LOOKED));
    case 'B_ams_text':
      return made(best(TEXTS), []);
    case 'C_ams_hybrid':
      return made(best(1), kept);
    case 'C0_top1_text':
      return made(best(1), []);
    case 'O_oracle_prefix':
      return made([], [...right, ...kept.filter((mid) => !right.includes(mid))]);
    case 'O1_oracle_alone':
      return made([], right);
    default:
      return made([], kept);
  }
}

/** Ids of lines and a question, without as many of the first lines as the model does not take. */
function fitting(
  text: TextModel,
  lines: readonly string[],
  asked: string,
  isBeginning: boolean,
): { ids: number[]; truncated: boolean } {
  const { context, positions } = text.model.options;
  const most = positions === 'learned' ? context : text.model.options.capacity;
  const from = (line: number) => text.encode(lines.slice(line).join('') + asked, isBeginning);
  const whole = from(0);
  if (whole.length <= most || lines.length === 0) return { ids: whole, truncated: false };
  // The first line from which all that follows fits, between one from which it does not and one from which it does.
  let [tooMuch, enough] = [0, lines.length];
  while (enough - tooMuch > 1) {
    const middle = (tooMuch + enough) >> 1;
    if (from(middle).length <= most) enough = middle;
    else tooMuch = middle;
  }
  return { ids: from(enough), truncated: true };
}
