import { countParameters, encodeSnapshot, generate, Session, unknownCharactersRemark } from '@palimpsest/lm';
import { Filler } from '@palimpsest/models/facts';
import { openModel, type TextModel } from './checkpoints.js';
import { breath, readyEngine } from './engine.js';
import type { Calls, MemoryNews, OpenedModel } from './protocol.js';

/** Lines that are read between two looks at the messages. */
const LINES = 16;

let talk: { readonly session: Session; readonly opened: TextModel; readonly filler: Filler } | undefined;

function current() {
  if (talk) return talk;
  throw new Error('No model is open.');
}

const newsOf = (session: Session): MemoryNews => ({
  tokens: session.position,
  memoryBytes: session.stateBytes,
});

/** Opens a model with an empty memory. */
export async function openForTalk({ model: name, base }: Calls['open']['request']): Promise<OpenedModel> {
  const opened = await openModel(name, base);
  const { model, params, parametersId } = opened;
  await talk?.session.dispose();
  const session = await Session.create({ engine: await readyEngine(), model, params, parametersId, seed: 1 });
  talk = { session, opened, filler: new Filler(7) };
  return { title: name, parameters: countParameters(params), memoryBytes: session.stateBytes };
}

/** Reads a line and answers, as long as the model has something to say. */
export async function say(
  { line, lineEnd, most, temperature }: Calls['say']['request'],
  news: (news: Calls['say']['news']) => void,
  signal: AbortSignal,
): Promise<MemoryNews> {
  const { session, opened } = current();
  const { tokenizer } = opened;
  const unknown = unknownCharactersRemark(tokenizer, line, 'line');
  if (unknown !== undefined) throw new Error(unknown);
  const events = generate({
    ...{ session, tokenizer, signal, keepContext: true, maximumTokens: most },
    prompt: line + lineEnd,
    sampling: { temperature },
    stop: lineEnd === '' ? undefined : [lineEnd],
  });
  for await (const event of events) {
    if (event.text !== '') news({ type: 'text', text: event.text });
    await breath();
  }
  const read = newsOf(session);
  news({ type: 'end', ...read });
  return read;
}

/** Reads lines about other things: what is told is not repeated in them. */
export async function wander(
  { tokens }: Calls['wander']['request'],
  news: (news: MemoryNews) => void,
  signal: AbortSignal,
): Promise<MemoryNews> {
  const { session, opened, filler } = current();
  const end = session.position + tokens;
  while (session.position < end && !signal.aborted) {
    const lines = Array.from({ length: LINES }, () => filler.line()).join('');
    await session.append(opened.tokenizer.encode(lines));
    news(newsOf(session));
    await breath();
  }
  return newsOf(session);
}

export async function forget(): Promise<MemoryNews> {
  const { session } = current();
  await session.reset();
  return newsOf(session);
}

/** The memory as the bytes of a file. */
export async function save(): Promise<Uint8Array> {
  return encodeSnapshot(await current().session.snapshot());
}

export async function restore(bytes: Uint8Array): Promise<MemoryNews> {
  const { session } = current();
  await session.restore(bytes);
  return newsOf(session);
}
