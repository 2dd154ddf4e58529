import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTokenizer } from '@palimpsest/lm';
import { Rng } from '@palimpsest/tensor-core';
import { afterAll, describe, expect, it } from 'vitest';
import { askFact, drawFacts, Filler, FOOD_COUNT, factsText, tellFact, wordTokenizer } from '../src/facts.js';
import { shippedFolder, shippedModels } from '../src/shipped.js';

const checkpoints = join(dirname(fileURLToPath(import.meta.url)), '..', 'checkpoints');
const LARGEST_PACKAGE = 5e6;
const cards = shippedModels();
const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-models-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the shipped models', () => {
  it('take less than 5 MB together, and no file is there that no card speaks of', () => {
    const sizes = readdirSync(checkpoints, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => statSync(join(entry.parentPath, entry.name)).size);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(LARGEST_PACKAGE);
    const folders = readdirSync(checkpoints).filter((name) => !name.endsWith('.json'));
    expect(cards.map(({ name }) => name)).toEqual(folders.sort());
    expect(JSON.parse(readFileSync(join(checkpoints, 'index.json'), 'utf8'))).toEqual(folders);
  });

  it.each(cards.map((card) => [card.name, card] as const))('%s has a whole card', (name, card) => {
    const folder = shippedFolder(name)!;
    const files = readdirSync(folder).filter((file) => file !== 'card.json');
    expect(card.bytes).toBe(files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0));
    expect(card.training.command).toMatch(/^(palimpsest train|node packages\/models\/scripts\/train\.mjs) /);
    expect(card.data.licence).toMatch(/public domain|Apache-2\.0/);
    expect(card.figures.length).toBeGreaterThan(0);
    for (const { value, unrounded } of card.figures) expect(Math.abs(value - unrounded)).toBeLessThan(0.02);
  });

  it('are found by name, and nothing else is', () => {
    for (const { name } of cards)
      expect(existsSync(join(shippedFolder(name)!, 'model.safetensors'))).toBe(true);
    expect(shippedFolder('../src')).toBeUndefined();
    expect(shippedFolder('nobody')).toBeUndefined();
  });
});

describe('lines with facts', () => {
  const text = factsText(5, 20_000);

  it('are the same for the same seed, and others for another', () => {
    expect(factsText(5, 20_000)).toBe(text);
    expect(factsText(6, 20_000)).not.toBe(text);
  });

  it('answer every question with what was told last', () => {
    const told = new Map<string, string>();
    let asked = 0;
    const lines = text.split('\n');
    for (const [index, line] of lines.entries()) {
      const [, name, food] = /^(\w+) likes (\w+)\.$/.exec(line) ?? [];
      if (name === undefined || food === undefined) continue;
      if (lines[index - 1] !== `What does ${name} like?`) told.set(name, food);
      else {
        asked += 1;
        expect(food).toBe(told.get(name));
      }
    }
    expect(asked).toBeGreaterThan(100);
  });

  it('have words as tokens, which come back as the text', () => {
    const file = join(scratch, 'tokenizer.json');
    writeFileSync(file, JSON.stringify(wordTokenizer(text)));
    const tokenizer = readTokenizer(file);
    const ids = tokenizer.encode(text);
    const decoder = tokenizer.streamingDecoder();
    expect([...ids].map((id) => decoder.push(id)).join('') + decoder.flush()).toBe(text);
    const [fact] = drawFacts(Rng.fromSeed(1), 1);
    expect(tokenizer.encode(tellFact(fact!))).toHaveLength(8);
    // The line of the answer begins as that of the telling does: the same tokens ask and tell.
    expect([...tokenizer.encode(askFact(fact!))].slice(-2)).toEqual(
      [...tokenizer.encode(tellFact(fact!))].slice(0, 2),
    );
  });

  it('have others between them that tell no facts', () => {
    const filler = new Filler(3);
    for (let i = 0; i < 300; i++) expect(filler.line()).not.toMatch(/ likes? /);
    expect(FOOD_COUNT).toBe(16);
  });
});
