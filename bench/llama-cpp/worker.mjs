// Both sides of a process that is asked one thing at a time, by lines of JSON.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Ids of letters and words, the same for everybody. */
export const someIds = (count) =>
  Array.from({ length: count }, (_, index) => 300 + ((index * 7919) % 40_000));

/** Answers requests until there are no more. @param kinds what can be asked, as functions of one argument */
export async function serve(kinds) {
  const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
  say('ready');
  for await (const line of createInterface({ input: process.stdin })) {
    const [kind, argument] = JSON.parse(line);
    say(await kinds[kind](argument));
  }
}

/** Starts a worker of this folder. */
export async function start(script, ...words) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...words.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} ${words.join(' ')} ended before it answered.`);
    return JSON.parse(value);
  };
  await answer();
  return {
    ask: (kind, argument) => {
      child.stdin.write(`${JSON.stringify([kind, argument])}\n`);
      return answer();
    },
    end: () => child.stdin.end(),
  };
}

/**
 * Milliseconds from the start of a process to the first thing that it writes; the process then ends by itself.
 * @param echo what it writes before, which does not count
 */
export function untilFirstOutput(words, echo = '') {
  const begun = performance.now();
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] });
  let first;
  let written = '';
  child.stdout.on('data', (data) => {
    written += data;
    if (written.length > echo.length) first ??= performance.now() - begun;
  });
  return new Promise((resolve, reject) => {
    child.on('close', (code) => {
      if (first === undefined) reject(new Error(`${words.join(' ')} wrote nothing and ended with ${code}.`));
      else resolve(first);
    });
  });
}

export const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
export const least = (list) => Math.min(...list);
