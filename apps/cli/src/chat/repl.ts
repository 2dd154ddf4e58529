import { createInterface } from 'node:readline';
import { generate, type Tokenizer, unknownCharactersRemark } from '@palimpsest/lm';
import { PalimpsestError } from '@palimpsest/tensor-core';
import type { Interrupts } from '../interrupts.js';
import { type ChatState, runCommand } from './commands.js';
import type { Prompt } from './prompting.js';
import { StateRecollection } from './state-recollection.js';

export interface ReplOptions {
  readonly state: ChatState;
  readonly tokenizer: Tokenizer;
  readonly maximumTokens: number;
  readonly priming: 'exact' | 'reference';
  /** Ids that end a reply. */
  readonly stopIds: readonly number[];
  /** Text that ends a reply; undefined: none. */
  readonly stop?: string | undefined;
  /** What an empty line stands for; undefined: empty lines are passed over. */
  readonly emptyLine?: string | undefined;
  readonly interrupts: Interrupts;
}

const PROMPT = '>> ';

/**
 * Reads lines until the end of input or `:quit`. A line that starts with a colon is a command; any other is read by the
 * model, which answers. Ctrl-C stops a reply, and leaves when there is none. A wrong command is explained and changes
 * nothing.
 */
export async function runRepl(options: ReplOptions): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: PROMPT });
  let reply: AbortController | undefined;
  // Lines from a pipe are still answered when its end has closed the interface, whose prompt Node.js 24 then refuses with an error.
  let isClosed = false;
  lines.once('close', () => {
    isClosed = true;
  });
  const ask = () => (isClosed ? process.stdout.write(PROMPT) : lines.prompt());
  const interrupt = () => (reply ? reply.abort() : lines.close());
  const release = options.interrupts.capture(interrupt);
  lines.on('SIGINT', interrupt);
  try {
    ask();
    for await (const line of lines) {
      if (line.trim() === ':quit') break;
      reply = new AbortController();
      await answer(options, line, reply.signal);
      reply = undefined;
      ask();
    }
  } finally {
    release();
    lines.close();
  }
}

async function answer(options: ReplOptions, line: string, signal: AbortSignal): Promise<void> {
  try {
    if (line.startsWith(':')) {
      process.stdout.write(`${await runCommand(options.state, line)}\n`);
      return;
    }
    const prompt = line === '' ? options.emptyLine : line;
    if (prompt !== undefined) await speak(options, prompt, signal);
  } catch (error) {
    if (!(error instanceof PalimpsestError)) throw error;
    process.stdout.write(`${error.message}\n`);
  }
}

async function speak(options: ReplOptions, line: string, signal: AbortSignal): Promise<void> {
  const { state, tokenizer, maximumTokens, priming, stopIds, stop } = options;
  const { session, sampling, prompting } = state;
  const unknown = unknownCharactersRemark(tokenizer, line, 'line');
  if (unknown !== undefined) process.stdout.write(`(${unknown})\n`);
  const { ids, keepContext } = await readLine(state, line);
  const drawn: number[] = [];
  let text = '';
  const events = generate({
    session,
    tokenizer,
    prompt: ids,
    maximumTokens,
    sampling,
    keepContext,
    priming,
    stopIds,
    stop: stop === undefined ? undefined : [stop],
    signal,
  });
  for await (const event of events) {
    const id = event.type === 'token' ? event.id : event.stopId;
    if (id !== undefined) drawn.push(id);
    text += event.text;
    process.stdout.write(event.text);
  }
  prompting.replied(drawn, text);
  process.stdout.write('\n');
}

/** What a line makes the model read, behind or beside what a memory of texts finds for it. */
async function readLine(
  { session, prompting, conversation, recollection }: ChatState,
  line: string,
): Promise<Prompt> {
  if (recollection instanceof StateRecollection) return recollection.before(line, session);
  const place = { position: session.position, fresh: !conversation };
  const before = (await recollection?.before(line, place)) ?? '';
  return prompting.read(before + line, !conversation, session);
}
