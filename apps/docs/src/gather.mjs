// Lays the repository's Markdown out as the pages of the site: links lead from page to page, files that are no pages are
// offered as they are, and marked sections of code and text come from where they stand.
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const pages = join(import.meta.dirname, '../pages');
const read = (path) => readFileSync(join(root, path), 'utf8');
const markdownIn = (folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`);

/** Where every page of the site comes from: the path in the repository, and that in the site. */
function pageMap() {
  const map = new Map([['CONTRIBUTING.md', 'contributing.md']]);
  for (const page of markdownIn('docs')) map.set(page, posix.basename(page));
  for (const page of markdownIn('docs/memories')) map.set(page, page.slice('docs/'.length));
  for (const group of ['packages', 'apps']) {
    for (const name of readdirSync(join(root, group))) {
      for (const [file, suffix] of [
        ['README.md', ''],
        ['DERIVATION.md', '-derivation'],
      ]) {
        if (name !== 'docs' && existsSync(join(root, group, name, file)))
          map.set(`${group}/${name}/${file}`, `packages/${name}${suffix}.md`);
      }
    }
  }
  map.set('examples/README.md', 'examples.md').set('README.md', 'readme.md');
  return map;
}

const map = pageMap();

/** The anchor of a heading, by GitHub's rule. */
export const slugOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

/** What stands below a heading, up to the next of its level or above. */
function sectionOf(path, anchor) {
  const lines = read(path).split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && slugOf(line.replace(/^#+ /, '')) === anchor);
  if (start < 0) throw new Error(`${path} has no heading for #${anchor}.`);
  const level = lines[start].indexOf(' ');
  const end = lines.findIndex((line, at) => at > start && /^#+ /.test(line) && line.indexOf(' ') <= level);
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n');
}

/** A link of the file `from` as one of the page `page`; nothing where the site has nothing to show. */
function linkOf(link, from, page) {
  if (/^([a-z][a-z0-9+.-]*:|#)/i.test(link)) return link;
  const [path, anchor] = link.split('#');
  const target = posix
    .normalize(posix.join(posix.dirname(from), decodeURIComponent(path)))
    .replace(/\/$/, '');
  const source = join(root, target);
  if (!existsSync(source)) throw new Error(`${from} links to ${link}, which is not there.`);
  const own = map.get(target) ?? map.get(`${target}/README.md`);
  const to = own ?? (statSync(source).isDirectory() ? undefined : offered(target));
  if (to === undefined) return undefined;
  if (to.startsWith('/')) return to;
  const inSite = posix.relative(posix.dirname(page), to);
  return `${inSite.startsWith('.') ? inSite : `./${inSite}`}${anchor ? `#${anchor}` : ''}`;
}

/** A file that is no page: pictures stay beside the pages, others are offered for download. */
function offered(target) {
  const isPicture = /\.(svg|png)$/.test(target);
  const shown = /\.(mjs|js|json|ya?ml)$/.test(target) ? target : `${target}.txt`;
  const to = isPicture ? `pictures/${posix.basename(target)}` : `public/files/${shown}`;
  mkdirSync(dirname(join(pages, to)), { recursive: true });
  cpSync(join(root, target), join(pages, to));
  return isPicture ? to : `/files/${shown}`;
}

function withLinks(markdown, from, page) {
  const parts = markdown.split(/(^(`{3,}).*\n[\s\S]*?^\2`*$)/gm).filter((part) => !/^`{3,}$/.test(part));
  return parts
    .map((part) => {
      if (part.startsWith('```')) return part;
      return part.replace(/(!?)\[([^\]]*)\]\(([^)\s]+)\)/g, (_, picture, label, link) => {
        const to = linkOf(link, from, page);
        return to === undefined ? label : `${picture}[${label}](${to})`;
      });
    })
    .join('');
}

/** `<!-- code: FILE -->` and `<!-- text: FILE#HEADING -->` become what they name. */
function withInclusions(markdown, page) {
  return markdown
    .replace(/^<!-- code: (\S+) -->$/gm, (_, path) => `\`\`\`${path.split('.').pop()}\n${read(path)}\`\`\``)
    .replace(/^<!-- text: ([^\s#]+)#(\S+) -->$/gm, (_, path, anchor) =>
      withLinks(sectionOf(path, anchor), path, page),
    );
}

/** Writes all pages anew. Generated pages of the reference stay. */
export function gather() {
  for (const name of existsSync(pages) ? readdirSync(pages) : []) {
    if (name !== 'reference') rmSync(join(pages, name), { recursive: true });
  }
  for (const [source, page] of map) {
    const path = join(pages, page);
    mkdirSync(dirname(path), { recursive: true });
    const markdown = withInclusions(withLinks(read(source), source, page), page);
    writeFileSync(path, markdown.replace(/^<!--[\s\S]*?-->$/gm, ''));
  }
  cpSync(join(import.meta.dirname, '../home.md'), join(pages, 'index.md'));
  return relative(process.cwd(), pages);
}

if (process.argv[1] === import.meta.filename) console.log(`pages in ${gather()}`);
