import { useState } from 'preact/hooks';
import {
  FIRST_TEXT,
  fullCacheBytes,
  grouped,
  type MechanismName,
  mechanisms,
  SHORTEST_TEXT,
} from '../choices.js';
import type { Laboratory } from '../engine/client.js';
import { Choice, Figure, Problem, TextArea } from '../fields.js';
import { Lines } from '../pictures/lines.js';
import { useWork } from '../run.js';
import { type Progress, useTraining } from '../training.js';

const STEPS = ['60', '150', '400', '1000'] as const;

export const mechanismOptions = Object.entries(mechanisms).map(([value, { title, about }]) => ({
  value: value as MechanismName,
  text: `${title} – ${about}`,
}));

/** Pick a mechanism, paste a text, watch it learn. */
export function TrainPanel(props: { readonly laboratory: Laboratory; readonly onTrained: () => void }) {
  const [mechanism, setMechanism] = useState<MechanismName>('osam');
  const [text, setText] = useState(FIRST_TEXT);
  const [steps, setSteps] = useState<(typeof STEPS)[number]>('150');
  const { progress, run } = useTraining(props.laboratory);
  const work = useWork();
  const isShort = text.length < SHORTEST_TEXT;
  const train = () =>
    work.start(async (signal) => {
      await run({ mechanism, text, steps: Number(steps), prompt: text.slice(0, 12) }, signal);
      props.onTrained();
    });
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          train();
        }}
      >
        <Choice
          label="Memory"
          value={mechanism}
          options={mechanismOptions}
          onChange={setMechanism}
          disabled={work.isBusy}
        />
        <Choice
          label="Steps"
          value={steps}
          options={STEPS.map((value) => ({ value, text: value }))}
          onChange={setSteps}
          disabled={work.isBusy}
        />
        <TextArea label="Text to learn" value={text} rows={6} onInput={setText} disabled={work.isBusy} />
        <div class="actions">
          <button type="submit" disabled={work.isBusy || isShort}>
            Train
          </button>
          <button type="button" class="quiet" disabled={!work.isBusy} onClick={work.stop}>
            Stop
          </button>
          <span class="hint">
            {isShort ? `At least ${SHORTEST_TEXT} characters, please.` : `${grouped(text.length)} characters`}
          </span>
        </div>
      </form>
      <Problem text={work.problem} />
      <TrainingView progress={progress} isBusy={work.isBusy} />
    </>
  );
}

/** How a training goes: figures, curves and what the model writes. */
export function TrainingView(props: {
  readonly progress: Progress;
  readonly isBusy: boolean;
  /** Beside another one, with which it shares its curves. Default false */
  readonly isSide?: boolean;
}) {
  const { progress, isBusy, isSide = false } = props;
  const { losses, memory, sample, step, parameters, memoryBytes, readers, tokens } = progress;
  if (step === 0) return isBusy ? <p role="status">Building the model …</p> : null;
  return (
    <div class="results">
      <dl class="figures" aria-live="off">
        <Figure name="step" value={grouped(step)} />
        <Figure name="loss, nats per character" value={losses.at(-1)?.y.toFixed(3) ?? ''} />
        <Figure name="parameters" value={grouped(parameters)} />
        <Figure name={`characters, each of ${readers} readers`} value={grouped(tokens)} />
        <Figure name="memory of a reader, bytes" value={grouped(memoryBytes)} />
        <Figure name="all keys and values so far, bytes" value={grouped(fullCacheBytes(tokens))} />
      </dl>
      {!isSide && <Curves losses={losses} memory={memory} />}
      <h3>What it writes</h3>
      <pre class="sample">{sample || 'The first sample comes after 20 steps.'}</pre>
      <p role="status" class="hint">
        {isBusy ? 'Training …' : isSide ? 'Done.' : 'Done. “Talk” and “Look inside” have this model now.'}
      </p>
    </div>
  );
}

function Curves({ losses, memory }: Pick<Progress, 'losses' | 'memory'>) {
  return (
    <div class="pictures">
      <Lines
        picture={{
          kind: 'lines',
          title: 'Loss',
          xTitle: 'step',
          yTitle: 'nats per character',
          series: [{ name: 'loss', points: losses }],
        }}
      />
      <Lines
        picture={{
          kind: 'lines',
          title: 'Bytes of memory as the text grows',
          xTitle: 'characters read',
          yTitle: 'bytes',
          series: [
            { name: 'this memory', points: memory },
            {
              name: 'keys and values of everything',
              points: memory.map(({ x }) => ({ x, y: fullCacheBytes(x) })),
            },
          ],
        }}
        logarithmic
      />
    </div>
  );
}
