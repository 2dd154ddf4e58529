import type { Inspection } from '@palimpsest/lm';
import { useState } from 'preact/hooks';
import { FIRST_TEXT, type MechanismName, mechanisms, optionsOf, type RuleName, rules } from '../choices.js';
import type { Laboratory } from '../engine/client.js';
import type { FoundText } from '../engine/protocol.js';
import { Choice, Problem, TextArea } from '../fields.js';
import { InspectionView } from '../pictures/inspection.js';
import { useWork } from '../run.js';
import { base, type ShippedCard } from '../shipped.js';
import { modelOptions, TRAINED } from './talk.js';

/** Tokens that every head of a cache may keep. */
const BUDGET = 64;
const LONGEST = 2000;
const NOTES = `My dog is called Bruno and he is afraid of thunder.
The meeting with the bank was moved to Friday.
Clara gave me a green bicycle for my birthday.
I am allergic to peanuts, but almonds are fine.
We planted two pear trees behind the house.`;

/** What a memory kept of a text. */
export function MemoryPanel(props: {
  readonly laboratory: Laboratory;
  readonly cards: readonly ShippedCard[];
  readonly trained: MechanismName | undefined;
}) {
  const { laboratory, cards, trained } = props;
  const hides = trained !== undefined && !mechanisms[trained].isShown;
  const shown = modelOptions(cards, hides ? undefined : trained);
  const [model, setModel] = useState('');
  const [text, setText] = useState(FIRST_TEXT.slice(0, 600));
  const [rule, setRule] = useState<RuleName>('namm');
  const [inspection, setInspection] = useState<Inspection | undefined>(undefined);
  const work = useWork();
  const mechanism = model === TRAINED ? trained : cards.find(({ name }) => name === model)?.mechanism;
  const isCache = mechanism?.startsWith('transformer') === true;
  const look = () =>
    work.start(async () => {
      setInspection(undefined);
      setInspection(
        await laboratory.call('inspect', { model, base, text: text.slice(0, LONGEST), rule, budget: BUDGET }),
      );
    });
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          look();
        }}
      >
        <Choice
          label="Model"
          value={model}
          options={[{ value: '', text: 'Choose a model' }, ...shown]}
          onChange={setModel}
          disabled={work.isBusy}
        />
        {isCache && (
          <Choice
            label="What decides which tokens its cache keeps"
            value={rule}
            options={optionsOf<RuleName>(rules)}
            onChange={setRule}
            disabled={work.isBusy}
          />
        )}
        <TextArea
          label={`Text that it reads, at most ${LONGEST} characters`}
          value={text}
          rows={5}
          onInput={setText}
          disabled={work.isBusy}
        />
        <div class="actions">
          <button type="submit" disabled={work.isBusy || model === '' || text.length < 2}>
            Look inside
          </button>
          {work.isBusy && <span role="status">Reading …</span>}
          {hides && (
            <span class="hint">
              The one that you trained is not among them: {mechanisms[trained].title} has one state without
              parts that could be pointed at.
            </span>
          )}
        </div>
      </form>
      <Problem text={work.problem} />
      {inspection && <InspectionView inspection={inspection} />}
      <NotesMemory laboratory={laboratory} />
    </>
  );
}

/** The memory outside of any model: notes, and what of them a question brings back. */
function NotesMemory({ laboratory }: { readonly laboratory: Laboratory }) {
  const [notes, setNotes] = useState(NOTES);
  const [question, setQuestion] = useState('What is the dog afraid of?');
  const [found, setFound] = useState<readonly FoundText[] | undefined>(undefined);
  const work = useWork();
  const search = () =>
    work.start(async () => {
      const lines = notes.split('\n').filter((line) => line.trim() !== '');
      setFound(await laboratory.call('recall', { notes: lines, question }));
    });
  const most = Math.max(1e-9, ...(found ?? []).map(({ score }) => score));
  return (
    <section class="notes" aria-labelledby="notes-title">
      <h2 id="notes-title">A memory outside of the model</h2>
      <p class="hint">
        AMS keeps notes and brings back those that a question needs; here by their words, without a language
        model.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          search();
        }}
      >
        <TextArea label="Notes, one a line" value={notes} rows={5} onInput={setNotes} />
        <div class="field wide">
          <label for="question">Question</label>
          <input
            id="question"
            type="text"
            value={question}
            onInput={(event) => setQuestion(event.currentTarget.value)}
          />
        </div>
        <div class="actions">
          <button type="submit" disabled={work.isBusy || question.trim() === ''}>
            Remember
          </button>
        </div>
      </form>
      <Problem text={work.problem} />
      {found && (
        <ol class="found" aria-label="Found notes" aria-live="polite">
          {found.map(({ text, score }) => (
            <li key={text}>
              <span class="bar" style={{ width: `${(100 * score) / most}%` }} aria-hidden="true" />
              <span>{text}</span> <span class="hint">{score.toFixed(2)}</span>
            </li>
          ))}
          {found.length === 0 && <li>Nothing was found.</li>}
        </ol>
      )}
    </section>
  );
}
