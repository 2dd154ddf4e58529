import { useMemo, useState } from 'preact/hooks';
import { FIRST_TEXT, type MechanismName, mechanisms, SHORTEST_TEXT } from '../choices.js';
import { Laboratory } from '../engine/client.js';
import { Choice, Problem, TextArea } from '../fields.js';
import { Lines } from '../pictures/lines.js';
import { useWork } from '../run.js';
import { useTraining } from '../training.js';
import { mechanismOptions, TrainingView } from './train.js';

const BYTES = ['16384', '32768', '65536'] as const;
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
      const request = { text, steps: STEPS, prompt: text.slice(0, 12), bytes: Number(bytes) };
      await Promise.all([
        first.run({ ...request, mechanism: left }, signal),
        second.run({ ...request, mechanism: right }, signal),
      ]);
    });
  const titles = [mechanisms[left].title, mechanisms[right].title] as const;
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          train();
        }}
      >
        <Choice
          label="One memory"
          value={left}
          options={mechanismOptions}
          onChange={setLeft}
          disabled={work.isBusy}
        />
        <Choice
          label="Another memory"
          value={right}
          options={mechanismOptions}
          onChange={setRight}
          disabled={work.isBusy}
        />
        <Choice
          label="Bytes of each"
          value={bytes}
          options={BYTES.map((value) => ({ value, text: `about ${Number(value).toLocaleString('en-US')}` }))}
          onChange={setBytes}
          disabled={work.isBusy}
        />
        <TextArea
          label="Text that both learn"
          value={text}
          rows={4}
          onInput={setText}
          disabled={work.isBusy}
        />
        <div class="actions">
          <button type="submit" disabled={work.isBusy || text.length < SHORTEST_TEXT}>
            Train both
          </button>
          <button type="button" class="quiet" disabled={!work.isBusy} onClick={work.stop}>
            Stop
          </button>
          <span class="hint">{STEPS} steps of the same text, each in a worker of its own</span>
        </div>
      </form>
      <Problem text={work.problem} />
      {(first.progress.step > 0 || second.progress.step > 0) && (
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
      <div class="sides">
        <section aria-label={`${titles[0]}, one memory`}>
          <h2>{titles[0]}</h2>
          <TrainingView progress={first.progress} isBusy={work.isBusy} isSide />
        </section>
        <section aria-label={`${titles[1]}, another memory`}>
          <h2>{titles[1]}</h2>
          <TrainingView progress={second.progress} isBusy={work.isBusy} isSide />
        </section>
      </div>
    </>
  );
}
