import type { TrainingEvent, TrainingStart, TrainingStepEvent, ValidationEvent } from '@palimpsest/lm';
import { lineFigure, renderFigure } from '../report/figure.js';
import { formatBytes, formatNumber } from '../report/format.js';
import { paragraph, type Section, subheading } from '../report/html-parts.js';
import { type CurvePoint, exponentialAverage, learningCurveLines, thin } from '../report/learning-curve.js';
import { type Markup, markup } from '../report/markup.js';
import { htmlPage } from '../report/page-frame.js';
import { createPace, formatDuration, type Pace } from './pace.js';
import { pastEvents } from './run-folder.js';

/** Samples that the page shows. */
const SAMPLES = 8;
/** Steps whose tokens per second are averaged for the number at the top. */
const RECENT = 20;

interface Sample {
  readonly step: number;
  readonly prompt: string;
  readonly text: string;
}

/** How a run came to its end. */
type End = { readonly kind: 'end' | 'interrupted' } | { readonly kind: 'failed'; readonly reason: string };

/**
 * What is to be seen of a training run: everything it told so far, as one HTML page in the frame of all pages. The page follows
 * a server that sends it anew under `events`.
 */
export class TrainingWatch {
  readonly #points: CurvePoint[] = [];
  readonly #speeds: { readonly x: number; readonly y: number }[] = [];
  #samples: readonly Sample[] = [];
  #start: TrainingStart | undefined;
  #step: TrainingStepEvent | undefined;
  #validation: ValidationEvent | undefined;
  #pace: ((done: number) => Pace) | undefined;
  #begun = performance.now();
  #end: End | undefined;

  /** @param folder of the run, whose past is shown when it goes on */
  constructor(private readonly folder: string) {}

  /** Takes in what the run tells. */
  add(event: TrainingEvent): void {
    if (event.type === 'start') {
      for (const past of pastEvents(this.folder)) this.#record(past);
      this.#start = event;
      this.#begun = performance.now();
      this.#pace = createPace(event.settings.steps, event.step);
    } else if (event.type === 'end' || event.type === 'interrupted') this.#end = { kind: event.type };
    else this.#record(event);
  }

  /** Says that the run ended by an error. */
  fail(error: unknown): void {
    this.#end = { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }

  /** The page as it stands now. */
  async page(): Promise<string> {
    const { model, settings } = this.#start ?? {};
    const share = settings && Math.floor((100 * this.#done) / settings.steps);
    return htmlPage({
      title: model === undefined ? 'Training begins' : `Training ${model}: ${share} %`,
      lead: `Run folder ${this.folder}.`,
      facts: this.#facts(),
      sections: [await this.#curve(), this.#written(), await this.#speed()],
      follows: { status: this.#status(), ended: this.#end !== undefined },
    });
  }

  get #done(): number {
    return this.#step?.step ?? this.#start?.step ?? 0;
  }

  #record(event: TrainingEvent): void {
    if (event.type === 'step') {
      this.#step = event;
      this.#points.push({ step: event.step, loss: event.loss });
      this.#speeds.push({ x: event.step, y: event.tokensPerSecond });
    }
    if (event.type === 'validation') {
      this.#validation = event;
      const point = this.#points.at(-1);
      if (point?.step === event.step)
        this.#points[this.#points.length - 1] = { ...point, validationLoss: event.result.loss };
    }
    if (event.type === 'sample') this.#samples = [event, ...this.#samples].slice(0, SAMPLES);
  }

  #status(): string {
    if (this.#end?.kind === 'failed') return `The run ended by an error: ${this.#end.reason}`;
    if (this.#end?.kind === 'interrupted')
      return 'The run was interrupted, and everything is saved. This page stays as it is.';
    if (this.#end) return 'The run is done, and everything is saved. This page stays as it is.';
    if (!this.#start) return 'The text is read and the model is built; numbers come by themselves.';
    return this.#step
      ? 'The run goes on; numbers come by themselves.'
      : 'The first step is compiled; numbers come by themselves.';
  }

  #facts(): [string, string][] {
    const [start, step, validation] = [this.#start, this.#step, this.#validation];
    if (!start) return [];
    const facts: [string, string][] = [['step', `${this.#done} of ${start.settings.steps}`]];
    const seconds = (performance.now() - this.#begun) / 1000;
    const left = this.#pace?.(this.#done).secondsLeft ?? Number.NaN;
    facts.push(this.#end ? ['time', formatDuration(seconds)] : ['time left', formatDuration(left)], [
      'loss',
      step ? `${step.loss.toFixed(3)} nats per token` : '-',
    ]);
    if (validation) facts.push(['held-out loss', heldOut(validation)]);
    const recent = this.#speeds.slice(-RECENT).map(({ y }) => y);
    const speed = recent.reduce((sum, one) => sum + one, 0) / recent.length;
    facts.push(
      ['speed', recent.length > 0 ? `${formatNumber(Math.round(speed))} tokens/s` : '-'],
      ['memory of a text', `${formatNumber(start.stateBytes)} bytes`],
      ['memory of the process', formatBytes(process.memoryUsage.rss())],
      ['parameters', formatNumber(start.parameters)],
      ['engine', start.engine],
    );
    return facts;
  }

  async #curve(): Promise<Section> {
    const { lines, axes } = learningCurveLines(this.#points, { title: 'Loss by step' });
    const caption =
      'Cross-entropy: that of the text trained on, averaged with weights that fade over some twenty steps, and that of held-out text.';
    const figure = lineFigure({ name: 'loss', caption }, lines, axes);
    const body = this.#points.length > 1 ? [await renderFigure(figure)] : [nothing('No curve yet.')];
    return { id: 'loss', title: 'Loss', body };
  }

  async #speed(): Promise<Section> {
    const lines = [{ name: 'tokens per second', points: thin(exponentialAverage(this.#speeds, 0.05)) }];
    const axes = { title: 'Tokens per second by step', xTitle: 'step', yTitle: 'tokens per second' };
    const figure = lineFigure(
      {
        name: 'speed',
        caption: 'Averaged as the loss is; validation, samples and checkpoints do not count.',
      },
      lines,
      axes,
    );
    const body = this.#speeds.length > 1 ? [await renderFigure(figure)] : [nothing('No curve yet.')];
    return { id: 'speed', title: 'Speed', body };
  }

  #written(): Section {
    const every = this.#start?.settings.sampleEvery ?? 0;
    const empty = every > 0 ? `None yet: one comes every ${every} steps.` : 'None: no samples are drawn.';
    const body = this.#samples.length > 0 ? this.#samples.flatMap(sampleOf) : [nothing(empty)];
    return { id: 'samples', title: 'Samples', body };
  }
}

function heldOut({ step, result, isBest }: ValidationEvent): string {
  const bits =
    result.bitsPerCharacter === undefined ? '' : `, ${result.bitsPerCharacter.toFixed(3)} bits per character`;
  return `${result.loss.toFixed(3)} nats per token${bits}, at step ${step}${isBest ? ', the best so far' : ''}`;
}

const nothing = (text: string): Markup => paragraph(text, 'soft');

const sampleOf = ({ step, prompt, text }: Sample): Markup[] => [
  subheading(`Step ${step}`),
  markup`<p class="text"><span class="prompt">${prompt}</span>${text}</p>`,
];
