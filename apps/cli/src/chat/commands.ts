import { readRegularFile, systemReason } from '@palimpsest/base';
import {
  encodeSnapshot,
  parseSampling,
  type SamplingOptions,
  type Session,
  type SessionSnapshot,
} from '@palimpsest/lm';
import { InputError, writeFileAtomically } from '@palimpsest/tensor-core';
import type { Prompting } from './prompting.js';
import type { AnyRecollection } from './state-recollection.js';

/** What a REPL keeps besides the memory itself. */
export interface ChatState {
  readonly session: Session;
  sampling: SamplingOptions;
  /** Memories kept by name while the program runs. */
  readonly kept: Map<string, SessionSnapshot>;
  /** Whether a line goes on from what was said before, or starts from an empty memory. */
  conversation: boolean;
  readonly prompting: Prompting;
  /** What was said, here and before, where a memory of texts was asked for. */
  readonly recollection?: AnyRecollection | undefined;
}

interface ChatCommand {
  readonly argument: string;
  readonly description: string;
  /** Carries the command out and says what happened. */
  run(state: ChatState, argument: string): Promise<string> | string;
}

/** The commands of the REPL, by name. `:quit` is the REPL's own. */
const commands: Readonly<Record<string, ChatCommand>> = {
  reset: {
    argument: '',
    description: 'forget everything',
    async run({ session, prompting, recollection }) {
      await session.reset();
      prompting.forget();
      recollection?.forget();
      return `The memory is empty${recollection ? `, but for ${recollection.about}` : ''}.`;
    },
  },
  memories: {
    argument: '',
    description: 'what --memory ams put before the last line',
    run: ({ recollection }) => describeRecalled(recollection),
  },
  state: {
    argument: '',
    description: 'position, bytes and norms of the memory',
    run: ({ session }) => describeMemory(session),
  },
  save: {
    argument: '<file>',
    description: 'write the memory to a file',
    async run({ session }, file) {
      const bytes = encodeSnapshot(await session.snapshot());
      await writeFileAtomically(required(file, ':save'), bytes);
      return `Wrote ${bytes.length} bytes to ${file}.`;
    },
  },
  load: {
    argument: '<file>',
    description: 'go on from a memory in a file',
    async run({ session, prompting, recollection }, file) {
      await session.restore(await readSnapshot(required(file, ':load')));
      prompting.forget();
      recollection?.forget();
      return `Went back to position ${session.position}.`;
    },
  },
  snapshot: {
    argument: '[name]',
    description: 'keep the memory under a name, until the program ends',
    async run({ session, kept }, name) {
      const snapshot = await session.snapshot();
      kept.set(name || LATEST, snapshot);
      return `Kept position ${snapshot.position} as '${name || LATEST}'.`;
    },
  },
  restore: {
    argument: '[name]',
    description: 'go back to a memory that was kept',
    async run({ session, prompting, recollection, kept }, name) {
      const snapshot = kept.get(name || LATEST);
      if (!snapshot) throw new InputError(nothingKept(kept, name || LATEST));
      await session.restore(snapshot);
      prompting.forget();
      recollection?.forget();
      return `Went back to position ${session.position}.`;
    },
  },
  fork: {
    argument: '[name]',
    description: 'keep the memory, and go on from it with other random numbers',
    async run({ session, kept }, name) {
      const [fork] = await session.fork(1);
      try {
        kept.set(name || LATEST, await session.snapshot());
        await session.restore(await fork!.snapshot());
      } finally {
        await fork!.dispose();
      }
      return `Kept position ${session.position} as '${name || LATEST}'; what follows is drawn anew.`;
    },
  },
  temp: sampler('<number>', 'temperature of the draws', 'temperature'),
  topk: sampler('<count>', 'draw from the k likeliest tokens; 0: all', 'topK'),
  topp: sampler('<share>', 'draw from the likeliest tokens with this probability; 0: all', 'topP'),
  greedy: {
    argument: '',
    description: 'always take the likeliest token',
    run(state) {
      state.sampling = { ...state.sampling, temperature: 0 };
      return 'Greedy: temperature is 0.';
    },
  },
  conversation: {
    argument: 'on|off',
    description: 'keep the memory from line to line, or start every line afresh',
    run(state, argument) {
      if (argument !== 'on' && argument !== 'off') throw new InputError(':conversation needs on or off.');
      state.conversation = argument === 'on';
      return state.conversation ? 'The memory is kept from line to line.' : 'Every line starts afresh.';
    },
  },
};

/** Name of a memory that is kept without one. */
const LATEST = 'latest';

function nothingKept(kept: ReadonlyMap<string, unknown>, name: string): string {
  const names = [...kept.keys()].map((key) => `'${key}'`).join(', ');
  return `No memory is kept as '${name}'; ${names ? `there are ${names}` : 'keep one with :snapshot first'}.`;
}

/** Carries out a line that starts with a colon. @throws InputError for an unknown command or a wrong argument. */
export async function runCommand(state: ChatState, line: string): Promise<string> {
  const [name = '', ...rest] = line.slice(1).trim().split(/\s+/);
  if (name === 'help') return help();
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new InputError(`There is no command ':${name}'; :help lists them.`);
  return command.run(state, rest.join(' '));
}

function help(): string {
  const rows = Object.entries(commands).map(([name, { argument, description }]) => [
    `:${name} ${argument}`,
    description,
  ]);
  rows.push([':help', 'this list'], [':quit', 'leave; so does the end of input']);
  return rows.map(([usage, description]) => `${usage!.padEnd(22)}${description}`).join('\n');
}

function sampler(argument: string, description: string, key: 'temperature' | 'topK' | 'topP'): ChatCommand {
  return {
    argument,
    description,
    run(state, text) {
      const value = Number(text);
      if (text === '' || Number.isNaN(value))
        throw new InputError(`${key} needs a number, but '${text}' was given.`);
      state.sampling = parseSampling({ ...state.sampling, [key]: value });
      return `${key} is ${value}.`;
    },
  };
}

function describeRecalled(recollection: AnyRecollection | undefined): string {
  if (!recollection) throw new InputError('No texts are kept; begin the chat with --memory ams.');
  const { texts, tokens } = recollection.last;
  const lines = texts.map(({ id, text, score }) => `${id}  ${score.toFixed(2)}  ${text}`);
  const total = `${texts.length} of ${recollection.about}, ${tokens} of ${recollection.budget} tokens`;
  return [...lines, total].join('\n');
}

async function describeMemory(session: Session): Promise<string> {
  const { state, position } = await session.snapshot();
  const norms = Object.entries(state).map(([path, { data, shape }]) => {
    const norm = Math.sqrt(Array.from(data).reduce((sum, value) => sum + value * value, 0));
    return `  ${path} [${shape.join(', ')}]: norm ${norm.toPrecision(4)}`;
  });
  return [`position ${position}, ${session.stateBytes} bytes of memory`, ...norms].join('\n');
}

async function readSnapshot(file: string): Promise<Uint8Array> {
  try {
    return readRegularFile(file);
  } catch (error) {
    throw new InputError(`The memory file '${file}' cannot be read: ${systemReason(error)}.`);
  }
}

function required(argument: string, command: string): string {
  if (argument === '') throw new InputError(`${command} needs the name of a file.`);
  return argument;
}
