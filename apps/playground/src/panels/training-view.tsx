import { fullCacheBytes, grouped } from '../choices.js';
import { Figure } from '../fields.js';
import { Lines } from '../pictures/lines.js';
import type { Progress } from '../training.js';

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
