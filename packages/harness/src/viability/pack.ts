import { InputError } from '@palimpsest/base';
import { z } from 'zod';
import standard from './standard-pack.json';

const words = z.array(z.string().min(1)).min(1);
const templates = z.array(z.string()).min(1);

const listedType = z.strictObject({ train: words, heldOut: words });
const syllablesType = z.strictObject({
  generator: z.literal('syllables'),
  syllables: z.strictObject({
    onset: z.array(z.string()),
    vowel: z.array(z.string()),
    coda: z.array(z.string()),
  }),
});
const digitsType = z.strictObject({ generator: z.literal('digits'), length: z.int().min(1) });

/** What sessions are made of: who, what about them, in which words, and the things that fill the gaps. */
export const packSchema = z.object({
  name: z.string(),
  subjects: z
    .array(
      z.object({
        id: z.string(),
        fact: z.string(),
        query: z.string(),
        answer: z.string(),
        split: z.enum(['train', 'heldOut']).optional(),
      }),
    )
    .min(1),
  relations: z
    .array(
      z.object({
        id: z.string(),
        entityType: z.string(),
        /** Words for what belongs to the person that it names, `{q}` for the subject: `{q} roommate's`. */
        owner: z.string().optional(),
        facts: templates,
        queries: templates,
        answers: templates,
        updates: templates,
      }),
    )
    .min(1),
  entityTypes: z.record(z.string(), z.union([listedType, syllablesType, digitsType])),
  trivia: z.strictObject({ train: z.array(z.string()), heldOut: z.array(z.string()) }),
});

export type Pack = z.output<typeof packSchema>;
export type EntityType = Pack['entityTypes'][string];
export type Subject = Pack['subjects'][number];
export type Relation = Pack['relations'][number];
/** Whose words a session is made of. */
export type Split = 'train' | 'heldOut' | 'all';

export const isListed = (type: EntityType): type is z.output<typeof listedType> => 'train' in type;

/** Somebody who is known by a name. */
export function namedOwner(name: string): Omit<Subject, 'split'> {
  const owner = `${name}'s`;
  return { id: name.toLowerCase(), fact: owner, query: owner, answer: owner };
}

/** Who sessions of a split are about; who belongs to no split is in all of them. */
export const subjectsOfSplit = ({ subjects }: Pack, split: Split): Subject[] =>
  subjects.filter((subject) => split === 'all' || subject.split === undefined || subject.split === split);

/** Words of a split; `all` is those of training and then the held out ones. */
export const wordsOfSplit = (type: { train: string[]; heldOut: string[] }, split: Split): string[] =>
  split === 'all' ? [...type.train, ...type.heldOut] : type[split];

/**
 * Checks a pack: every relation has a type, and no word is part of another or of a template, so that a keyword in an answer can only come
 * from its fact.
 * @param source its file, for messages
 * @throws InputError naming the first thing that is wrong.
 */
export function parsePack(json: unknown, source: string): Pack {
  const parsed = packSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new InputError(`${source} is no pack of sessions: '${issue.path.join('.')}': ${issue.message}.`);
  }
  const pack = parsed.data;
  for (const { id, entityType } of pack.relations) {
    if (pack.entityTypes[entityType]) continue;
    throw new InputError(
      `${source}: the relation '${id}' is of the type '${entityType}', which is not there.`,
    );
  }
  checkWords(pack, source);
  return pack;
}

function checkWords(pack: Pack, source: string): void {
  const listed = Object.values(pack.entityTypes)
    .filter(isListed)
    .flatMap((type) => wordsOfSplit(type, 'all'))
    .map((word) => word.toLowerCase());
  const texts = pack.relations
    .flatMap(({ facts, queries, answers, updates, owner = '' }) => [
      ...[...facts, ...queries, ...answers, ...updates],
      owner,
    ])
    .concat(pack.subjects.flatMap(({ fact, query, answer }) => [fact, query, answer]))
    .map((template) => template.replace(/\{\w\}/g, '\n').toLowerCase());
  listed.forEach((word, i) => {
    const other = listed.find((candidate, j) => i !== j && candidate.includes(word));
    if (other !== undefined) {
      throw new InputError(
        `${source}: the word '${word}' is part of the word '${other}'; a keyword must be its own.`,
      );
    }
    const text = texts.find((candidate) => candidate.includes(word));
    if (text !== undefined) {
      throw new InputError(`${source}: the word '${word}' is part of the template '${text.trim()}'.`);
    }
  });
}

/** The pack that ships with the house. */
export const standardPack = (): Pack => parsePack(standard, 'The pack of the house');
