import type { ComponentChildren } from 'preact';
import { type MechanismName, mechanisms, optionsOf, SHORTEST_TEXT } from '../choices.js';
import { Choice, Problem, TextArea } from '../fields.js';
import type { Work } from '../run.js';

const options = optionsOf<MechanismName>(mechanisms);

/** Which mechanism is trained. */
export function MechanismChoice(props: {
  readonly label: string;
  readonly value: MechanismName;
  readonly onChange: (name: MechanismName) => void;
  readonly disabled: boolean;
}) {
  return <Choice {...props} options={options} />;
}

/** What is trained, on which text; it begins and ends a training, and says what went wrong. */
export function TrainingForm(props: {
  readonly work: Work;
  readonly text: string;
  readonly textLabel: string;
  readonly rows: number;
  readonly onText: (text: string) => void;
  /** What the button says. */
  readonly action: string;
  readonly hint: string;
  readonly onTrain: () => void;
  /** The choices before the text. */
  readonly children: ComponentChildren;
}) {
  const { work, text, textLabel, rows, onText, action, hint, onTrain, children } = props;
  const isShort = text.trim().length < SHORTEST_TEXT;
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onTrain();
        }}
      >
        {children}
        <TextArea label={textLabel} value={text} rows={rows} onInput={onText} disabled={work.isBusy} />
        <div class="actions">
          <button type="submit" disabled={work.isBusy || isShort}>
            {action}
          </button>
          <button type="button" class="quiet" disabled={!work.isBusy} onClick={work.stop}>
            Stop
          </button>
          <span class="hint" role="status">
            {isShort ? `At least ${SHORTEST_TEXT} characters, please.` : hint}
          </span>
        </div>
      </form>
      <Problem text={work.problem} />
    </>
  );
}
