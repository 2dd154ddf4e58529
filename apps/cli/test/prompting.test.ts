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
function asker(chat: Prompting) {
  let position = 0;
  return (line: string, fresh = false, lastId?: number) => {
    const { ids, keepContext } = chat.read(line, fresh, { position, lastId });
    position += ids.length;
    return `${keepContext ? '…' : ''}${tokenizer.decode(ids)}`;
  };
}
const reply = (chat: Prompting, written: string, text = written) =>
  chat.replied(Array.from(tokenizer.encode(written)), text);

describe('prompts of a chat with a template', () => {
  it('hold only what the memory has not read', () => {
    const chat = prompting();
    const ask = asker(chat);
    expect(ask('a')).toBe('…[a]|');
    reply(chat, 'b]', 'b');
    expect(ask('c')).toBe('…[c]|');
    reply(chat, 'd');
    expect(ask('e')).toBe('…][e]|');
  });

  it('go on after a reply of any length', () => {
    const chat = prompting();
    const ask = asker(chat);
    ask('a');
    const written = 'b'.repeat(200_000);
    reply(chat, written);
    expect(ask('c')).toBe('…][c]|');
  });

  it('begin anew when lines shall stand alone', () => {
    const chat = prompting();
    const ask = asker(chat);
    expect(ask('a', true)).toBe('[a]|');
    reply(chat, 'b]', 'b');
    expect(ask('c', true)).toBe('[c]|');
  });

  it('hold everything when the template changed a former turn', () => {
    const chat = prompting((turns) => chatTemplate.render(turns.slice(-1)));
    const ask = asker(chat);
    ask('a');
    reply(chat, 'b]', 'b');
    expect(ask('c')).toBe('[c]|');
  });

  it('stand behind a memory that came from elsewhere', () => {
    const chat = prompting((turns) => chatTemplate.render(turns.slice(-1)));
    const ask = asker(chat);
    ask('a');
    chat.forget();
    expect(ask('c', false, END)).toBe('…[c]|');
    reply(chat, 'b]', 'b');
    expect(ask('d', false, 0)).toBe('…][d]|');
  });

  it('stand one by one behind a memory that forgets, and end a reply that has no end', () => {
    const chat = prompting(chatTemplate.render, true);
    const ask = asker(chat);
    expect(ask('a')).toBe('…[a]|');
    reply(chat, 'b]', 'b');
    expect(ask('c', false, END)).toBe('…[c]|');
    reply(chat, 'd');
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
