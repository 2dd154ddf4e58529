import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot, workspacesOf } from './support/workspaces.js';

/** A citation as comments write it: the file, then one or several titles in quotation marks. */
const CITATION = /DERIVATION\.md((?:,| and)? "[^"]+")+/g;

/** The titles that a text cites, with line breaks of comments taken out. */
function citedTitles(text: string): string[] {
  const joined = text.replaceAll(/\s*\n\s*(\*|\/\/)?\s*/g, ' ');
  return [...joined.matchAll(CITATION)].flatMap(([citation]) =>
    [...citation.matchAll(/"([^"]+)"/g)].map(([, title]) => title!),
  );
}

/** The headings of a Markdown file. */
const headingsOf = (text: string) => [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title!.trim());

const packages = workspacesOf('packages').filter(({ folder }) => existsSync(join(folder, 'DERIVATION.md')));

function filesOf(folder: string): string[] {
  return ['src', 'test', 'bench']
    .filter((part) => existsSync(join(folder, part)))
    .flatMap((part) => readdirSync(join(folder, part), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.m?ts$|\.mjs$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('derivations', () => {
  it('are found, with their citations', () => {
    expect(packages.map(({ manifest }) => manifest.name)).toContain('@palimpsest/osam');
    expect(citedTitles('/** a (DERIVATION.md, "The block" and\n * "Value path"). */')).toEqual([
      'The block',
      'Value path',
    ]);
    expect(citedTitles('// b (DERIVATION.md,\n  // "Feature path")')).toEqual(['Feature path']);
  });

  it.each(packages.map(({ manifest, folder }) => [manifest.name, folder] as const))(
    '%s: every section that a comment cites is there, and something is cited',
    (_name, folder) => {
      const headings = headingsOf(readFileSync(join(folder, 'DERIVATION.md'), 'utf8'));
      const citations = filesOf(folder).flatMap((file) =>
        citedTitles(readFileSync(file, 'utf8')).map((title) => ({
          file: relative(repositoryRoot, file),
          title,
        })),
      );
      expect(citations.filter(({ title }) => !headings.includes(title))).toEqual([]);
      expect(citations.length).toBeGreaterThan(0);
    },
  );

  it('are the only book that comments of these packages cite', () => {
    const foreign = packages.flatMap(({ folder }) =>
      filesOf(folder)
        .filter((file) => /\b(osam|rsm|om|namm|ams)\.md\b/.test(readFileSync(file, 'utf8')))
        .map((file) => relative(repositoryRoot, file)),
    );
    expect(foreign).toEqual([]);
  });
});
