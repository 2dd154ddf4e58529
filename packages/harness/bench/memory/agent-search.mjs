/**
 * Search of an agent's memory by words alone among many memories: twenty facts each about people with made-up names, asked for in other
 * words. Processor time per search, median (least, most), how often the right memory is among the five, and bytes of the heap per memory.
 * node --max-old-space-size=12000 bench/memory/agent-search.mjs [sizes, default 10000 100000; a million takes about 3 GB]
 */
import { createAgentMemory } from '../../../ams-v4/dist/index.js';
import { Rng } from '../../../tensor-core/dist/index.js';
import { standardPack } from '../../dist/index.js';

const sizes = process.argv.slice(2).map(Number);
if (sizes.length === 0) sizes.push(10_000, 100_000);
const [FACTS_PER_PERSON, QUESTIONS, K] = [20, 200, 5];
const { relations } = standardPack();
const rng = Rng.fromSeed(1);

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const pick = (list) => list[rng.int(list.length)];
const word = () => Array.from({ length: 4 }, () => pick([...'bdfgklmnprstvz']) + pick([...'aeiou'])).join('');
const owner = (name) => `${name[0].toUpperCase()}${name.slice(1)}'s`;
const filled = (template, whose, thing) =>
  template.replace(/\{[Ffq]\}/g, () => whose).replace('{E}', () => thing);
const ms = (times) => {
  const sorted = times.toSorted((a, b) => a - b);
  return `${sorted[sorted.length >> 1].toFixed(2)} (${sorted[0].toFixed(2)}, ${sorted.at(-1).toFixed(2)}) ms`;
};

const memory = await createAgentMemory('none');
const people = [];
let whose = '';
let building = 0;
for (const size of sizes.toSorted((a, b) => a - b)) {
  const before = cpu();
  while (memory.size < size) {
    const place = memory.size % FACTS_PER_PERSON;
    if (place === 0) {
      whose = owner(word());
      people.push(whose);
    }
    await memory.add(filled(pick(relations[place].facts), whose, word()));
  }
  building += cpu() - before;
  globalThis.gc?.();
  const heap = process.memoryUsage().heapUsed / size;
  const times = [];
  let found = 0;
  for (let i = 0; i < QUESTIONS; i++) {
    const person = rng.int(Math.floor(size / FACTS_PER_PERSON));
    const place = rng.int(FACTS_PER_PERSON);
    const question = filled(pick(relations[place].queries), people[person]);
    const start = cpu();
    const hits = await memory.search(question, { k: K, updateStats: false });
    times.push(cpu() - start);
    if (hits.some(({ id }) => id === person * FACTS_PER_PERSON + place)) found += 1;
  }
  console.log(
    `${size} memories: search ${ms(times)}, right memory among ${K} ${((100 * found) / QUESTIONS).toFixed(1)} %, ${((1000 * building) / size).toFixed(0)} µs to add one, ${heap.toFixed(0)} bytes of heap each`,
  );
}
await memory.close();
