// What results are made of: hashes of the transformer, the policy and the text.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { baseFolder } from './setup.mjs';

const hashOf = (data) => createHash('sha256').update(data).digest('hex');

export const madeOf = ({ out, seed, text }) => ({
  base: hashOf(readFileSync(join(baseFolder(out, seed), 'model.safetensors'))),
  text: hashOf(text.background),
});

/** Of a policy's file. */
export const policyHash = (path) => hashOf(readFileSync(path)).slice(0, 16);

/** @throws Error when there are results already that were made of something else, or of nobody knows what. */
export function requireSame({ cells, madeOf: before }, now, path) {
  if (Object.keys(cells).length === 0) return;
  const other = Object.keys(now).find((name) => before?.[name] !== now[name]);
  if (other === undefined) return;
  throw new Error(
    `The results in ${path} are of another ${other} (${before?.[other] ?? 'which they do not name'}, and not ${now[other]}); write to another file (--results).`,
  );
}
