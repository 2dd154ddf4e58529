import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from './support/workspaces.js';

const NOT_OURS = new Set([
  'node_modules',
  'dist',
  'vendor',
  'pages',
  'reports',
  'golden',
  '.git',
  '.turbo',
  'runs',
  'palimpsest-report',
]);

function markdownFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownFiles(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

/** Markdown without its code, where brackets mean other things. */
function prose(markdown: string): string {
  return markdown.replace(/^(`{3,}).*\n[\s\S]*?^\1`*$/gm, '').replace(/`[^`\n]*`/g, '');
}

function linksOf(markdown: string): string[] {
  const text = prose(markdown);
  const inline = [...text.matchAll(/!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const references = [...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm)];
  const html = [...text.matchAll(/<(?:img|a)\b[^>]*\b(?:src|href)="([^"]+)"/g)];
  return [...inline, ...references, ...html].map((match) => match[1]!);
}

/** The anchors that a page offers, by the rule that GitHub uses for headings. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading] of markdown
    .replace(/^(`{3,}).*\n[\s\S]*?^\1`*$/gm, '')
    .matchAll(/^#{1,6}\s+(.+)$/gm)) {
    const slug = heading!
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replace(/\s/g, '-');
    anchors.add(slug);
  }
  return anchors;
}

function brokenLinks(page: string): string[] {
  const markdown = readFileSync(page, 'utf8');
  return linksOf(markdown).filter((link) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return false;
    const [path, anchor] = link.split('#') as [string, string | undefined];
    const target = path === '' ? page : join(dirname(page), decodeURIComponent(path));
    if (!existsSync(target)) return true;
    return (
      anchor !== undefined && target.endsWith('.md') && !anchorsOf(readFileSync(target, 'utf8')).has(anchor)
    );
  });
}

describe('links of the documentation', () => {
  const pages = markdownFiles(repositoryRoot);

  it('finds the pages', () => {
    expect(pages.map((page) => relative(repositoryRoot, page))).toContain('CONTRIBUTING.md');
  });

  it('lead to files and headings that exist', () => {
    const broken = pages.flatMap((page) =>
      brokenLinks(page).map((link) => `${relative(repositoryRoot, page)}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  it('are found in every spelling, outside code', () => {
    const markdown =
      'See [a](x.md "t"), ![b](y.svg) and [c].\n\n[c]: z.md\n<img src="w.png">\n`[d](no.md)`\n```\n[e](no.md)\n```\n';
    expect(linksOf(markdown)).toEqual(['x.md', 'y.svg', 'z.md', 'w.png']);
    expect([...anchorsOf('# One `two` (three)\n## Was ist, was war?')]).toEqual([
      'one-two-three',
      'was-ist-was-war',
    ]);
  });
});
