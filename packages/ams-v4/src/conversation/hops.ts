import { type Word, wordsOf } from '../text/content-words.js';
import type { FoundMemory } from './memory-records.js';

/**
 * How the next search asks: in the place of what the question shares with the memory stands a word that the memory adds, each of them in
 * its turn. Of "Where is my aunt's cousin's office?" and "My aunt's cousin is Bodfek." comes "Where is Bodfek's office?".
 * @param memory what the search before found best
 * @returns the question itself where the memory adds nothing
 */
export function askedAgain(memory: string, question: string): string[] {
  const [told, asked] = [wordsOf(memory), wordsOf(question)];
  const added = told.filter(({ word }) => asked.every((one) => one.word !== word));
  if (added.length === 0) return [question];
  const shared = longestShared(asked, new Set(told.map(({ word }) => word)));
  const [before, after] = shared
    ? [question.slice(0, shared.start), question.slice(shared.end)]
    : ['', ` ${question}`];
  return added.map(({ start, end }) => before + memory.slice(start, end) + after);
}

/** The longest run of words that are known, the last one of equals. */
function longestShared(
  words: readonly Word[],
  known: ReadonlySet<string>,
): Pick<Word, 'start' | 'end'> | undefined {
  let longest: Word[] = [];
  let run: Word[] = [];
  for (const word of words) {
    run = known.has(word.word) ? [...run, word] : [];
    if (run.length > 0 && run.length >= longest.length) longest = run;
  }
  const [first, last] = [longest[0], longest.at(-1)];
  return first && last && { start: first.start, end: last.end };
}

/** Finds memories for queries, best first, at most k each. */
type Search = (queries: readonly string[], k: number) => Promise<FoundMemory[][]>;

/**
 * Memories for questions that need several of them, one after the other: each search after the first asks with the best memory of the
 * one before ("multi-hop dense retrieval", Xiong et al. 2021, with a beam of one).
 * @param hops searches, at least 1
 * @returns at most k for each question: first the best of every search, then what else was found, the better ranks first
 */
export async function searchInHops(
  questions: readonly string[],
  k: number,
  hops: number,
  search: Search,
): Promise<FoundMemory[][]> {
  const best: FoundMemory[][] = questions.map(() => []);
  const found: FoundMemory[][][] = questions.map(() => []);
  let queries = questions.map((question) => [question]);
  for (let hop = 0; hop < hops; hop++) {
    const lists = await bestOfEach(queries, k, search);
    lists.forEach((list, i) => {
      found[i]!.push(list);
      const next = list.find(({ mid }) => best[i]!.every((one) => one.mid !== mid));
      if (next) best[i]!.push({ ...next, kept: true });
    });
    queries = questions.map((question, i) => againWith(best[i]!, question));
  }
  return best.map((chain, i) => merged(chain, found[i]!, k));
}

/** A question after all that was found for it; only the last memory is tried word by word. */
function againWith(chain: readonly FoundMemory[], question: string): string[] {
  const before = chain.slice(0, -1).reduce((asked, { text }) => askedAgain(text, asked).at(-1)!, question);
  const last = chain.at(-1);
  return last ? askedAgain(last.text, before) : [question];
}

/** For each question what is found for any of its queries, by the best score of each memory. */
async function bestOfEach(
  queries: readonly (readonly string[])[],
  k: number,
  search: Search,
): Promise<FoundMemory[][]> {
  const lists = await search(queries.flat(), k);
  let next = 0;
  return queries.map(({ length }) => {
    const own = lists.slice(next, next + length).flat();
    next += length;
    const byId = new Map<number, FoundMemory>();
    for (const one of own) {
      const known = byId.get(one.mid);
      if (!known || one.score > known.score) byId.set(one.mid, one);
    }
    return [...byId.values()].sort((a, b) => b.score - a.score || a.mid - b.mid).slice(0, k);
  });
}

function merged(chain: readonly FoundMemory[], lists: readonly FoundMemory[][], k: number): FoundMemory[] {
  const byId = new Map(chain.map((one) => [one.mid, one]));
  for (let rank = 0; rank < k; rank++) {
    for (const list of lists) {
      const one = list[rank];
      if (one && !byId.has(one.mid)) byId.set(one.mid, one);
    }
  }
  return [...byId.values()].slice(0, k);
}
