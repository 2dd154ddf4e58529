import type { LanguageModel } from '@palimpsest/harness';
import { CharacterTokenizer } from '@palimpsest/lm';
import { describe, expect, it } from 'vitest';
import { createPrompting } from '../src/chat/prompting.js';

const tokenizer = CharacterTokenizer.fromText('abcdefgh[]|');
/** Turns stand in brackets; an assistant's turn begins with a bar. */
const chatTemplate = {
  render: (turns: readonly { role: string; content: string }[]) =>
    `${turns.map(({ role, content }) => (role === 'user' ? `[${content}]` : `|${content}]`)).join('')}|`,
  renderBehindReply: (turns: readonly { role: string; content: string }[]) =>
    `]${chatTemplate.render(turns)}`,
};
const END = tokenizer.encode(']')[0]!;
const prompting = (render = chatTemplate.render, forgets = false) =>
  createPrompting(
    {
      tokenizer,
      endIds: [END],
      encodeStart: (text: string) => tokenizer.encode(`h${text}`),
      chatTemplate: { ...chatTemplate, render },
    } as unknown as LanguageModel,
    forgets,
  );

type Prompting = ReturnType<typeof prompting>;
/** A chat with a memory that reads what it is asked, at most so many ids at once. */
function talk(chat: Prompting) {
  let position = 0;
  return {
    ask: (line: string, fresh = false, lastId?: number, most = Number.POSITIVE_INFINITY) => {
      const { ids, keepContext } = chat.read(line, fresh, { position, lastId });
      position = (keepContext ? position : 0) + Math.min(ids.length, most);
      return `${keepContext ? '…' : ''}${tokenizer.decode(ids)}`;
    },
    reply: (written: string, text = written) => {
      const ids = Array.from(tokenizer.encode(written));
      position += ids.length;
      chat.replied(ids, text);
    },
  };
}

describe('prompts of a chat with a template', () => {
  it('hold only what the memory has not read', () => {
    const chat = prompting();
    const { ask, reply } = talk(chat);
    expect(ask('a')).toBe('…[a]|');
    reply('b]', 'b');
    expect(ask('c')).toBe('…[c]|');
    reply('d');
    expect(ask('e')).toBe('…][e]|');
  });

  it('go on after a reply of any length', () => {
    const chat = prompting();
    const { ask, reply } = talk(chat);
    ask('a');
    const written = 'b'.repeat(200_000);
    reply(written);
    expect(ask('c')).toBe('…][c]|');
  });

  it('hold everything again when one was interrupted before it was read', () => {
    const chat = prompting();
    const { ask, reply } = talk(chat);
    ask('a');
    reply('b]', 'b');
    const long = 'c'.repeat(1000);
    expect(ask(long, false, END, 512)).toBe(`…[${long}]|`);
    // Nothing was written.
    reply('');
    expect(ask('d')).toBe(`[a]|b][${long}]|][d]|`);
    reply('e]', 'e');
    expect(ask('f')).toBe('…[f]|');
  });

  it('begin anew when lines shall stand alone', () => {
    const chat = prompting();
    const { ask, reply } = talk(chat);
    expect(ask('a', true)).toBe('[a]|');
    reply('b]', 'b');
    expect(ask('c', true)).toBe('[c]|');
  });

  it('hold everything when the template changed a former turn', () => {
    const chat = prompting((turns) => chatTemplate.render(turns.slice(-1)));
    const { ask, reply } = talk(chat);
    ask('a');
    reply('b]', 'b');
    expect(ask('c')).toBe('[c]|');
  });

  it('stand behind a memory that came from elsewhere', () => {
    const chat = prompting((turns) => chatTemplate.render(turns.slice(-1)));
    const { ask, reply } = talk(chat);
    ask('a');
    chat.forget();
    expect(ask('c', false, END)).toBe('…[c]|');
    reply('b]', 'b');
    expect(ask('d', false, 0)).toBe('…][d]|');
  });

  it('stand one by one behind a memory that forgets, and end a reply that has no end', () => {
    const chat = prompting(chatTemplate.render, true);
    const { ask, reply } = talk(chat);
    expect(ask('a')).toBe('…[a]|');
    reply('b]', 'b');
    expect(ask('c', false, END)).toBe('…[c]|');
    reply('d');
    expect(ask('e', false, tokenizer.encode('d')[0])).toBe('…][e]|');
    expect(ask('f', true)).toBe('[f]|');
  });
});

describe('prompts without a template', () => {
  it('are the lines, the first with what begins a text', () => {
    const chat = createPrompting({
      tokenizer,
      encodeStart: (text: string) => tokenizer.encode(`h${text}`),
    } as unknown as LanguageModel);
    const read = (fresh: boolean, position: number) => chat.read('a', fresh, { position });
    expect(tokenizer.decode(read(false, 0).ids)).toBe('ha');
    expect(tokenizer.decode(read(false, 1).ids)).toBe('a');
    expect(read(true, 1)).toMatchObject({ keepContext: false });
  });
});
