import { join } from 'node:path';
import { exponentialAverage, learningCurve, trainingLosses } from '@palimpsest/harness';
import type { TrainingEvent, TrainingStart, TrainingStepEvent, ValidationEvent } from '@palimpsest/lm';
import { plotLines } from './loss-plot.js';
import { nextCommands } from './next-commands.js';
import type { Output } from './output.js';
import { createProgress, type Progress } from './progress.js';

/** Weight of the newest loss in the smoothed one. */
const SMOOTHING = 0.05;

/** Shows a training run: a progress bar, validations and samples as they come, and a summary. */
export interface TrainingReport {
  show(event: TrainingEvent): void;
  stop(): void;
  finish(): void;
}

export function createTrainingReport(output: Output, folder: string): TrainingReport {
  let progress: Progress | undefined;
  let start: TrainingStart | undefined;
  let step: TrainingStepEvent | undefined;
  let smoothedLoss: number | undefined;
  let validation: ValidationEvent['result'] | undefined;
  let seconds = performance.now();

  const onStep = (event: TrainingStepEvent) => {
    step = event;
    smoothedLoss =
      smoothedLoss === undefined ? event.loss : smoothedLoss + SMOOTHING * (event.loss - smoothedLoss);
    const rate = `${event.tokensPerSecond.toFixed(0)} tokens/s`;
    progress?.update(
      event.step,
      `loss ${smoothedLoss.toFixed(3)}`,
      rate,
      `gradient ${event.gradientNorm.toFixed(2)}`,
    );
  };
  return {
    show(event) {
      if (event.type === 'start') {
        start = event;
        seconds = performance.now();
        output.note(
          `${event.model}: ${event.parameters} parameters, ${event.stateBytes} bytes of memory, on ${event.engine}; run folder ${folder}`,
        );
        const { steps } = event.settings;
        progress = createProgress({
          title: 'train',
          total: steps,
          from: event.step,
          unit: 'steps',
          output,
        });
      }
      if (event.type === 'step') onStep(event);
      if (event.type === 'validation') {
        validation = event.result;
        output.note(
          `step ${event.step}: held-out ${describe(event.result)}${event.isBest ? ', the best so far' : ''}`,
        );
      }
      if (event.type === 'sample') {
        output.note(`step ${event.step}: ${JSON.stringify(event.prompt)} -> ${JSON.stringify(event.text)}`);
      }
    },
    stop: () => progress?.stop(),
    finish() {
      const elapsed = (performance.now() - seconds) / 1000;
      const summary = {
        folder,
        checkpoint: join(folder, 'latest'),
        curve: join(folder, 'curve.svg'),
        model: start?.model,
        parameters: start?.parameters,
        stateBytes: start?.stateBytes,
        engine: start?.engine,
        step: step?.step ?? start?.step,
        tokens: step?.tokens,
        seconds: elapsed,
        loss: step?.loss,
        smoothedLoss,
        validation,
      };
      const result = validation ? `, held-out ${describe(validation)}` : '';
      const trained = smoothedLoss === undefined ? '' : `, loss ${smoothedLoss.toFixed(3)}`;
      output.print(
        `step ${summary.step}${trained}${result}, in ${elapsed.toFixed(1)} s; checkpoint ${summary.checkpoint}`,
      );
      output.emit(summary);
      if (output.json || output.quiet) return;
      const plot = Number.isFinite(output.width) ? plotOf(folder, Math.min(output.width, 100)) : undefined;
      if (plot !== undefined) output.print(`\n${plot}`);
      output.print(`\n${nextCommands(folder, summary).join('\n')}`);
    },
  };
}

/** The smoothed loss of the whole run, and what it was on held-out text. */
function plotOf(folder: string, columns: number): string | undefined {
  const curve = learningCurve(folder);
  const heldOut = curve.flatMap(({ step, validationLoss: y }) => (y === undefined ? [] : [{ x: step, y }]));
  const lines = plotLines(
    [{ points: exponentialAverage(trainingLosses(curve), SMOOTHING) }, { points: heldOut, mark: '●' }],
    columns,
    'steps',
  );
  return lines && `loss in nats per token: a line in training, ● on held-out text\n${lines}`;
}

function describe({ loss, bitsPerCharacter, accuracy }: ValidationEvent['result']): string {
  const bits = bitsPerCharacter === undefined ? '' : `, ${bitsPerCharacter.toFixed(3)} bits per character`;
  return `loss ${loss.toFixed(3)}${bits}, ${(accuracy * 100).toFixed(1)} % right`;
}
