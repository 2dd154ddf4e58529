import { useMemo, useState } from 'preact/hooks';
import { FIRST_TEXT, grouped, type MechanismName, mechanisms } from '../choices.js';
import { Laboratory } from '../engine/client.js';
import { Choice } from '../fields.js';
import { Lines } from '../pictures/lines.js';
import { useWork } from '../run.js';
import { useTraining } from '../training.js';
import { MechanismChoice, TrainingForm } from './training-form.js';
import { TrainingView } from './training-view.js';

const BYTES = ['2048', '16384', '32768', '65536'] as const;
/** Sizes that differ by more than this share are not called equal. */
const ALIKE = 0.2;
const STEPS = 150;

/** Two mechanisms on one text, each with the option that sizes its memory chosen so that both take about the same bytes. */
export function ComparePanel() {
  const laboratories = useMemo(() => [new Laboratory(), new Laboratory()] as const, []);
  const [left, setLeft] = useState<MechanismName>('osam');
  const [right, setRight] = useState<MechanismName>('transformer-window');
  const [bytes, setBytes] = useState<(typeof BYTES)[number]>('16384');
  const [text, setText] = useState(FIRST_TEXT);
  const [first, second] = [useTraining(laboratories[0]), useTraining(laboratories[1])];
  const work = useWork();
  const train = () =>
    work.start(async (signal) => {
      setAsked(Number(bytes));
      const request = { text, steps: STEPS, prompt: text.slice(0, 12), bytes: Number(bytes) };
      await Promise.all([
        first.run({ ...request, mechanism: left }, signal),
        second.run({ ...request, mechanism: right }, signal),
      ]);
    });
  const [asked, setAsked] = useState(Number(bytes));
  const titles = [mechanisms[left].title, mechanisms[right].title] as const;
  const isBegun = first.progress.step > 0 || second.progress.step > 0;
  const sides = [
    { title: titles[0], label: 'one memory', progress: first.progress },
    { title: titles[1], label: 'another memory', progress: second.progress },
  ];
  return (
    <>
      <TrainingForm
        work={work}
        text={text}
        textLabel="Text that both learn"
        rows={4}
        onText={setText}
        action="Train both"
        hint={`${STEPS} steps of the same text, each in a worker of its own`}
        onTrain={train}
      >
        <MechanismChoice label="One memory" value={left} onChange={setLeft} disabled={work.isBusy} />
        <MechanismChoice label="Another memory" value={right} onChange={setRight} disabled={work.isBusy} />
        <Choice
          label="Bytes of each"
          value={bytes}
          options={BYTES.map((value) => ({ value, text: `about ${grouped(Number(value))}` }))}
          onChange={setBytes}
          disabled={work.isBusy}
        />
      </TrainingForm>
      {isBegun && (
        <Lines
          picture={{
            kind: 'lines',
            title: 'Loss of both',
            xTitle: 'step',
            yTitle: 'nats per character',
            series: [
              { name: titles[0], points: first.progress.losses },
              { name: left === right ? `${titles[1]}, again` : titles[1], points: second.progress.losses },
            ],
          }}
        />
      )}
      <div class="sides" hidden={!isBegun && !work.isBusy}>
        {sides.map(({ title, label, progress }) => (
          <section key={label} aria-label={`${title}, ${label}`}>
            <h2>{title}</h2>
            <TrainingView progress={progress} isBusy={work.isBusy} isSide />
            {progress.memoryBytes > 0 && Math.abs(progress.memoryBytes / asked - 1) > ALIKE && (
              <p class="hint">
                Its memory takes {grouped(progress.memoryBytes)} bytes: no size that a page can train comes
                nearer to {grouped(asked)}.
              </p>
            )}
          </section>
        ))}
      </div>
    </>
  );
}
