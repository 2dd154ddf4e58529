import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitepress';
import { slugOf } from '../src/gather.mjs';

const pages = join(import.meta.dirname, '../pages');
const namesOf = (folder) => (existsSync(join(pages, folder)) ? readdirSync(join(pages, folder)).sort() : []);
const item = (text, link) => ({ text, link });
const packages = namesOf('packages').filter((name) => !name.endsWith('-derivation.md'));
const derivations = namesOf('packages').filter((name) => name.endsWith('-derivation.md'));
const references = namesOf('reference').filter((name) => !name.endsWith('.md'));
/** A package with namespaces has a folder of pages, others one page. */
const referenceOf = (name) =>
  existsSync(join(pages, `reference/${name}/src.md`)) ? `/reference/${name}/src` : `/reference/${name}/src/`;
const hasPlayground = existsSync(join(import.meta.dirname, '../../playground/dist/index.html'));

/** The site: static, searched offline, with fonts of the reader's system. */
export default defineConfig({
  title: 'Palimpsest',
  description: 'Sequence models whose memory never grows, in TypeScript.',
  base: process.env.PALIMPSEST_SITE_BASE || '/',
  srcDir: 'pages',
  outDir: process.env.PALIMPSEST_SITE_OUT || 'dist',
  cacheDir: 'node_modules/.vitepress',
  // Links into the reference can be followed only where it was generated.
  ignoreDeadLinks: references.length > 0 ? false : [/reference\//],
  // The pages are plain Markdown: what looks like a tag is text.
  markdown: { html: false, anchor: { slugify: slugOf } },
  // The index of words and the pages of the reference are large, and loaded when they are asked for.
  vite: { build: { chunkSizeWarningLimit: 20_000, assetsInlineLimit: 0 } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      item('Start here', '/start'),
      item('Memories', '/memories/osam'),
      item('Command line', '/command-line'),
      ...(references.length > 0 ? [item('Reference', '/reference/')] : []),
      ...(hasPlayground ? [{ text: 'Playground', link: '/playground/index.html', target: '_self' }] : []),
    ],
    sidebar: [
      {
        text: 'Guide',
        items: [
          item('Start here', '/start'),
          item('All on one page', '/palimpsest'),
          item('Your own mechanism', '/own-mechanism'),
          item('Serve', '/packages/serve'),
          item('Evaluate', '/evaluation'),
          item('Sizes and limits', '/sizes'),
          item('Examples', '/examples'),
        ],
      },
      {
        text: 'How the memories work',
        items: [
          item('OSAM', '/memories/osam'),
          item('RSM', '/memories/rsm'),
          item('Om', '/memories/om'),
          item('NAMM', '/memories/namm'),
          item('AMS', '/memories/ams'),
        ],
      },
      {
        text: 'Look up',
        items: [
          item('The command line', '/command-line'),
          item('How exact the engines are', '/numerics'),
          item('Dependencies', '/dependencies'),
          item('Contributing', '/contributing'),
        ],
      },
      {
        text: 'Packages',
        collapsed: true,
        items: packages.map((name) => item(name.slice(0, -3), `/packages/${name.slice(0, -3)}`)),
      },
      {
        text: 'Derivations',
        collapsed: true,
        items: derivations.map((name) => item(name.slice(0, -14), `/packages/${name.slice(0, -3)}`)),
      },
      ...(references.length > 0
        ? [
            {
              text: 'Reference',
              collapsed: true,
              items: references.map((name) => item(name, referenceOf(name))),
            },
          ]
        : []),
    ],
  },
});
