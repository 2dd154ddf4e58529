// Reads damaged files of every kind that the program reads: `node scripts/fuzz-files.mjs [INPUTS] [SEED]` (2,000 and 1).
// Each input is a good file with one damage, mostly with checksums that are right again. It must be read as something that
// holds what it says, or be refused by one sentence of an error of our own that names the file; it must not hang, and
// memory stays bounded. A batch runs in a process of its own, so that a hang is found and ended.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomOf } from './fuzz/random.mjs';

const BATCH = 250;
/** Far above what any input takes: other work on the machine is no hang. */
const SECONDS = 180;
const LARGEST_RSS = 1_500_000_000;
const self = fileURLToPath(import.meta.url);
const [first = '2000', second = '1', from] = process.argv.slice(2);

if (from === undefined) process.exitCode = await runAll(Number(first), Number(second));
else await runBatch(Number(first), Number(second), Number(from));

/** Runs all inputs in batches and prints what was wrong; gives the exit code. */
async function runAll(inputs, seed) {
  const found = [];
  const counts = { accepted: 0, refused: 0 };
  for (let start = 0; start < inputs; ) {
    const end = Math.min(inputs, start + BATCH);
    const { done, problems, hung, ending } = await inProcess(end, seed, start, counts);
    for (const problem of problems) found.push(problem);
    if (hung) found.push(`input ${done}: ${ending}`);
    start = hung ? done + 1 : end;
  }
  for (const problem of found) console.log(problem);
  console.log(`${inputs} inputs: ${counts.accepted} read, ${counts.refused} refused, ${found.length} wrong.`);
  return found.length > 0 ? 1 : 0;
}

function inProcess(end, seed, start, counts) {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['--max-old-space-size=1024', self, String(end), String(seed), String(start)],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    const state = { done: start, problems: [], hung: false };
    let timer;
    let isLate = false;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        isLate = true;
        child.kill('SIGKILL');
      }, 1000 * SECONDS);
    };
    watch();
    child.on('message', ({ index, outcome, problem }) => {
      watch();
      state.done = index + 1;
      if (outcome) counts[outcome] += 1;
      if (problem) state.problems.push(`input ${index}: ${problem}`);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const ending = isLate ? `no end after ${SECONDS} seconds` : `the process ended with ${code ?? signal}`;
      resolve({ ...state, hung: state.done < end, ending });
    });
  });
}

async function runBatch(end, seed, start) {
  const { subjects, isOurs, copyOf } = await import('./fuzz/subjects.mjs');
  const root = mkdtempSync(join(tmpdir(), 'fuzz-files-'));
  const weighted = Object.entries(subjects).flatMap(([name, { share }]) => Array(share).fill(name));
  const made = new Set();
  for (let index = start; index < end; index++) {
    const random = randomOf(seed * 1_000_003 + index);
    const name = random.pick(weighted);
    const good = join(root, `${name}-good`);
    if (!made.has(name)) {
      mkdirSync(good, { recursive: true });
      await subjects[name].make(good);
      made.add(name);
    }
    const place = join(root, name);
    copyOf(good, place);
    const target = subjects[name].one ? join(place, random.pick(readdirSync(place).sort())) : place;
    subjects[name].damage(target, random);
    process.send({ index, ...(await outcomeOf(name, subjects[name], target, isOurs)) });
  }
  rmSync(root, { recursive: true, force: true });
  process.disconnect();
}

async function outcomeOf(name, subject, target, isOurs) {
  let outcome = 'accepted';
  let problem;
  try {
    problem = await subject.read(target);
  } catch (error) {
    outcome = 'refused';
    const message = String(error?.message);
    if (!isOurs(error)) problem = `raw ${error?.stack?.split('\n').slice(0, 4).join(' | ')}`;
    else if (!message.includes(target)) problem = `the file is not named: ${message}`;
    else if (message.length > 1000 + target.length || message.trim().includes('\n'))
      problem = `no sentence: ${message.slice(0, 200)}`;
  }
  const { rss } = process.memoryUsage();
  if (rss > LARGEST_RSS) problem ??= `${rss} bytes of memory`;
  return { outcome, ...(problem && { problem: `${name}: ${problem}` }) };
}
