import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textTable } from '../src/text/table.js';
import { wrapLine } from '../src/text/wrap.js';

const letters = (text: string) => [...text.replace(/[\s-]/g, '')].sort().join('');

describe('wrapLine', () => {
  it('breaks at blanks, then behind signs that join names, then anywhere', () => {
    expect(wrapLine('one two three', 8)).toEqual(['one two', 'three']);
    expect(wrapLine('path/of/a/file', 8, 2)).toEqual(['path/of/', '  a/file']);
    expect(wrapLine('abcdefgh', 3)).toEqual(['abc', 'def', 'gh']);
    expect(wrapLine('', 3)).toEqual(['']);
  });

  it('loses nothing, and no line is longer than asked', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii', maxLength: 120 }),
        fc.integer({ min: 4, max: 40 }),
        (line, width) => {
          const lines = wrapLine(line, width, 1);
          expect(letters(lines.join(''))).toBe(letters(line));
          if (line.trim() !== '')
            for (const part of lines) expect([...part].length).toBeLessThanOrEqual(width);
        },
      ),
    );
  });
});

describe('textTable', () => {
  const rows = [
    ['osam', '12', 'a memory of constant size that is read by algebra'],
    ['all of one task'],
    ['gru', '3', 'gated recurrent units'],
  ];
  const headings = ['model', 'cells', 'about'];

  it('is as wide as its cells without a limit, and a single cell takes the line', () => {
    expect(textTable(headings, rows, ['left', 'right']).split('\n').slice(2, 4)).toEqual([
      'osam      12  a memory of constant size that is read by algebra',
      'all of one task',
    ]);
  });

  it('breaks text that has no room, and lists the cells where even that is not enough', () => {
    expect(textTable(headings, rows, ['left', 'right'], 36).split('\n').slice(2, 5)).toEqual([
      'osam      12  a memory of constant',
      '              size that is read by',
      '              algebra',
    ]);
    expect(textTable(headings, rows, ['left', 'right'], 24).split('\n').slice(0, 4)).toEqual([
      'osam',
      '    cells  12',
      '    about  a memory of',
      '           constant size',
    ]);
  });
});
