// The speed of a model beside llama.cpp's, in one run with turns taken: writing, reading 512 tokens, drawing, and the time from
// the start of a process to its first token. Ratios above 1 say that ours is slower.
//   python bench/llama-cpp/models.py random FOLDER
//   (cd bench/llama-cpp && npm install --no-package-lock)
//   node bench/llama-cpp/compare.mjs FOLDER [--threads 1] [--rounds 5] [--only decode]

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { least, median, start, untilFirstOutput } from './worker.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true, default: [] },
  },
});
const [folder] = positionals;
const { threads } = values;
const rounds = Number(values.rounds);
const isAsked = (what) => values.only.length === 0 || values.only.includes(what);
/** Their type of a file, and our form of its weights. */
const FORMS = { F32: '32bit', Q8_0: '8bit', Q4_0: '4bit' };
const fileOf = (type) => `${folder}/${type}.gguf`;
/** Threads of an idle graph stop after a moment; nobody measures while the other's are still turning. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));

const shown = (list) => `${median(list).toFixed(1)} (${least(list).toFixed(1)})`;
const ratio = (ours, theirs) =>
  `${(median(ours) / median(theirs)).toFixed(2)} (${(least(ours) / least(theirs)).toFixed(2)})`;
const row = (what, form, ours, theirs) =>
  console.log(`| ${what} | ${form} | ${shown(ours)} | ${shown(theirs)} | ${ratio(ours, theirs)} |`);

/** Asks both in turns, once for warmth. */
async function inTurns(pair, kind, argument) {
  const times = [[], []];
  for (let round = -1; round < rounds; round++) {
    for (const [index, worker] of pair.entries()) {
      const measured = await worker.ask(kind, argument);
      if (round >= 0) times[index].push(...measured);
      await pause();
    }
  }
  return times;
}

console.log(`${threads} thread(s), ${rounds} rounds; milliseconds, median (least)\n`);
console.log('| what | weights | ours | llama.cpp | ours / theirs |\n| --- | --- | --- | --- | --- |');
if (isAsked('decode')) {
  for (const [type, form] of Object.entries(FORMS)) {
    const pair = [
      await start('ours.mjs', fileOf(type), form, threads, 4096),
      await start('theirs.mjs', fileOf(type), threads, 4096),
    ];
    const [ours, theirs] = await inTurns(pair, 'decode', 32);
    row('a token written', `${form}, ${type}`, ours, theirs);
    const drawing = await pair[0].ask('draw', 50);
    console.log(
      `| drawing it | | ${shown(drawing)} | | ${((100 * median(drawing)) / median(ours)).toFixed(1)} % of the token |`,
    );
    for (const worker of pair) worker.end();
  }
}
if (isAsked('prefill')) {
  const cases = [
    ['F32', 1024],
    ['F32', 4096],
    ['Q8_0', 4096],
    ['Q4_0', 4096],
  ];
  for (const [type, slots] of cases) {
    const pair = [
      await start('ours.mjs', fileOf(type), FORMS[type], threads, slots),
      await start('theirs.mjs', fileOf('F32'), threads, slots),
    ];
    const [ours, theirs] = await inTurns(pair, 'prefill', 512);
    row(`512 tokens read, ${slots} slots`, `${FORMS[type]}, F32`, ours, theirs);
    for (const worker of pair) worker.end();
  }
}
if (isAsked('first')) {
  const command = fileURLToPath(new URL('../../apps/cli/bin/palimpsest.js', import.meta.url));
  const theirs = fileURLToPath(new URL('theirs.mjs', import.meta.url));
  const prompt = 'To be, or not to be';
  for (const [type, form] of Object.entries(FORMS)) {
    const words = ['--weights', form, '--threads', threads, '--prompt', prompt, '--max-new-tokens', '1'];
    const times = [[], []];
    for (let round = 0; round < rounds; round++) {
      times[0].push(await untilFirstOutput([command, 'generate', '--model', fileOf(type), ...words], prompt));
      times[1].push(await untilFirstOutput([theirs, fileOf(type), threads, '4096', 'first']));
    }
    row('process start to first token', `${form}, ${type}`, ...times);
  }
}
