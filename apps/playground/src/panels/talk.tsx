import { useRef, useState } from 'preact/hooks';
import { grouped, type MechanismName } from '../choices.js';
import type { Laboratory } from '../engine/client.js';
import type { MemoryNews } from '../engine/protocol.js';
import { Choice, Figure, Problem } from '../fields.js';
import { useWork } from '../run.js';
import { base, type ShippedCard } from '../shipped.js';

export const TRAINED = 'trained';
/** Tokens about other things that are read at one press. */
const AWAY = 20_000;

interface Said {
  readonly who: 'you' | 'model' | 'note';
  readonly text: string;
}

/** A past that can be gone back to: the memory, and what was said until then. */
interface Kept {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly said: readonly Said[];
}

/** Models by the names that `open` of the worker knows. */
export function modelOptions(cards: readonly ShippedCard[], trained: MechanismName | undefined) {
  const shipped = cards.map(({ name, title }) => ({ value: name, text: title }));
  const own = { value: TRAINED, text: 'The one that you trained' };
  return trained === undefined ? shipped : [...shipped, own];
}

/** Talk to a model; what it has read can be saved, forked, downloaded and restored. */
export function TalkPanel(props: {
  readonly laboratory: Laboratory;
  readonly cards: readonly ShippedCard[];
  readonly trained: MechanismName | undefined;
}) {
  const { laboratory, cards, trained } = props;
  const [model, setModel] = useState('');
  const [line, setLine] = useState('');
  const [said, setSaid] = useState<readonly Said[]>([]);
  const [memory, setMemory] = useState<MemoryNews | undefined>(undefined);
  const [kept, setKept] = useState<readonly Kept[]>([]);
  const work = useWork();
  const file = useRef<HTMLInputElement>(null);
  const options = modelOptions(cards, trained);
  const card = cards.find(({ name }) => name === model);
  const lineEnd = card?.lineEnd ?? '';
  const add = (entry: Said) => setSaid((before) => [...before, entry]);

  const open = (name: string) =>
    work.start(async () => {
      const opened = await laboratory.call('open', { model: name, base });
      setModel(name);
      setSaid([]);
      setKept([]);
      setMemory({ tokens: 0, memoryBytes: opened.memoryBytes });
      setLine(cards.find((known) => known.name === name)?.prompt ?? '');
    });
  const say = () =>
    work.start(async (signal) => {
      const asked = line.replaceAll('\\n', '\n');
      add({ who: 'you', text: asked });
      setLine('');
      let reply = '';
      add({ who: 'model', text: '' });
      const spoken = laboratory.call(
        'say',
        { line: asked, lineEnd, most: lineEnd === '' ? 120 : 24, temperature: lineEnd === '' ? 0.7 : 0 },
        (news) => {
          if (news.type === 'end') return setMemory(news);
          reply += news.text;
          setSaid((before) => [...before.slice(0, -1), { who: 'model', text: reply }]);
        },
        signal,
      );
      await spoken.catch((error: unknown) => {
        // Nothing was read: the line can be mended and said again.
        setSaid(said);
        setLine(line);
        throw error;
      });
    });
  const wander = () =>
    work.start(async (signal) => {
      const read = await laboratory.call('wander', { tokens: AWAY }, setMemory, signal);
      setMemory(read);
      add({ who: 'note', text: `It has read about ${grouped(AWAY)} tokens about other things.` });
    });
  const keep = (name: string) =>
    work.start(async () => {
      const bytes = await laboratory.call('save', null);
      setKept((before) => [...before, { name, bytes, said }]);
    });
  const goBack = (past: Kept) =>
    work.start(async () => {
      setMemory(await laboratory.call('restore', past.bytes));
      setSaid(past.said);
      add({ who: 'note', text: `Back at “${past.name}”.` });
    });
  const upload = (given: File | undefined) =>
    work.start(async () => {
      if (!given) return;
      const bytes = new Uint8Array(await given.arrayBuffer());
      // So that the same file can be given again.
      if (file.current) file.current.value = '';
      setMemory(await laboratory.call('restore', bytes));
      add({ who: 'note', text: `The memory of ${given.name} was restored.` });
    });
  const forget = () =>
    work.start(async () => {
      setMemory(await laboratory.call('forget', null));
      setSaid([]);
    });
  const isIdle = memory !== undefined && !work.isBusy;
  return (
    <>
      <Choice
        label="Model"
        value={model}
        options={[{ value: '', text: 'Choose a model' }, ...options]}
        onChange={(name) => name !== '' && open(name)}
        disabled={work.isBusy}
      />
      {model === '' && (
        <p class="hint">
          Small models that were trained beforehand, or the one of “Train”. A model is fetched when it is
          chosen, 0.1 to 0.7 MB; then what it has read can be kept, forked, downloaded and restored.
        </p>
      )}
      {card && (
        <p class="hint">
          {card.description} ({card.figures.map(({ measure, value }) => `${measure}: ${value}`).join('; ')})
        </p>
      )}
      <Problem text={work.problem} />
      {memory && (
        <>
          <dl class="figures">
            <Figure name="tokens read" value={grouped(memory.tokens)} />
            <Figure name="memory, bytes" value={grouped(memory.memoryBytes)} />
          </dl>
          <ol class="talk" aria-label="Conversation" aria-live="polite">
            {said.map(({ who, text }, index) => (
              <li key={index} class={who}>
                <span class="who">{who === 'note' ? '' : who}</span>
                <span class="what">{text}</span>
              </li>
            ))}
          </ol>
          <form
            class="say"
            onSubmit={(event) => {
              event.preventDefault();
              if (line !== '') say();
            }}
          >
            <div class="field wide">
              <label for="line">Say something</label>
              <input
                id="line"
                type="text"
                autocomplete="off"
                value={line}
                onInput={(event) => setLine(event.currentTarget.value)}
              />
            </div>
            <div class="actions">
              <button type="submit" disabled={!isIdle || line === ''}>
                Say
              </button>
              <button type="button" class="quiet" disabled={!work.isBusy} onClick={work.stop}>
                Stop
              </button>
              {lineEnd !== '' && (
                <button type="button" class="quiet" disabled={!isIdle} onClick={wander}>
                  Read {grouped(AWAY)} tokens of other things
                </button>
              )}
            </div>
          </form>
          <fieldset>
            <legend>Its memory</legend>
            <div class="actions">
              <button
                type="button"
                class="quiet"
                disabled={!isIdle}
                onClick={() =>
                  keep(
                    `after ${grouped(memory.tokens)} tokens${kept.length > 0 ? `, ${kept.length + 1}` : ''}`,
                  )
                }
              >
                Keep this moment
              </button>
              <button type="button" class="quiet" disabled={!isIdle} onClick={forget}>
                Forget everything
              </button>
              <label class="upload">
                Restore from a file{' '}
                <input
                  ref={file}
                  type="file"
                  accept=".safetensors"
                  disabled={!isIdle}
                  onChange={(event) => upload(event.currentTarget.files?.[0])}
                />
              </label>
            </div>
            {kept.length > 0 && (
              <ul class="kept">
                {kept.map((past) => (
                  <li key={past.name}>
                    <span>
                      {past.name}, {grouped(past.bytes.length)} bytes
                    </span>
                    <button type="button" class="quiet" disabled={!isIdle} onClick={() => goBack(past)}>
                      Fork from here
                    </button>
                    <button
                      type="button"
                      class="quiet"
                      onClick={() => download(past.bytes, `${model}.safetensors`)}
                    >
                      Download
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </fieldset>
        </>
      )}
    </>
  );
}

function download(bytes: Uint8Array, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([new Uint8Array(bytes)]));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
