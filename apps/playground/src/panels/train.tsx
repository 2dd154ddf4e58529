import { useState } from 'preact/hooks';
import { FIRST_TEXT, grouped, type MechanismName } from '../choices.js';
import type { Laboratory } from '../engine/client.js';
import { Choice } from '../fields.js';
import { useWork } from '../run.js';
import { useTraining } from '../training.js';
import { MechanismChoice, TrainingForm } from './training-form.js';
import { TrainingView } from './training-view.js';

const STEPS = ['60', '150', '400', '1000'] as const;

/** Pick a mechanism, paste a text, watch it learn. */
export function TrainPanel(props: {
  readonly laboratory: Laboratory;
  readonly onTrained: (mechanism: MechanismName) => void;
}) {
  const [mechanism, setMechanism] = useState<MechanismName>('osam');
  const [text, setText] = useState(FIRST_TEXT);
  const [steps, setSteps] = useState<(typeof STEPS)[number]>('150');
  const { progress, run } = useTraining(props.laboratory);
  const work = useWork();
  const train = () =>
    work.start(async (signal) => {
      await run({ mechanism, text, steps: Number(steps), prompt: text.slice(0, 12) }, signal);
      props.onTrained(mechanism);
    });
  return (
    <>
      <TrainingForm
        work={work}
        text={text}
        textLabel="Text to learn"
        rows={6}
        onText={setText}
        action="Train"
        hint={`${grouped(text.length)} characters`}
        onTrain={train}
      >
        <MechanismChoice label="Memory" value={mechanism} onChange={setMechanism} disabled={work.isBusy} />
        <Choice
          label="Steps"
          value={steps}
          options={STEPS.map((value) => ({ value, text: value }))}
          onChange={setSteps}
          disabled={work.isBusy}
        />
      </TrainingForm>
      <TrainingView progress={progress} isBusy={work.isBusy} />
    </>
  );
}
