import { CharacterTokenizer, Evaluator, type TextEvaluation } from '@palimpsest/lm';
import type { Engine, NDArray } from '@palimpsest/tensor-core';
import type { OsamConfig } from '../config.js';
import type { OsamModel } from '../model.js';
import { type OsamParams, parameterCount } from '../parameters.js';
import { measureSpeed, type SpeedOptions, type SpeedReport } from './speed.js';

export interface OsamEvaluationOptions {
  /** Share of the text, at its end, that training never saw. Default 0.1. */
  readonly heldOut?: number;
  /** Tokens per window of the windowed regime; default 64. */
  readonly seqLen?: number;
  /** Times the model too; default true. */
  readonly speed?: boolean | SpeedOptions;
  /** Seed of the run that made the parameters, for the report. */
  readonly seed?: number;
}

/** What the evaluation suite finds (osam.md 12.1). */
export interface OsamEvaluation {
  readonly config: OsamConfig;
  readonly parameters: number;
  readonly seed?: number;
  readonly engine: string;
  /** Fresh memory per window. */
  readonly windowed: TextEvaluation;
  /** One pass with the memory carried; losses by distance from the start are in `buckets`. */
  readonly streaming: TextEvaluation;
  readonly speed?: SpeedReport;
}

/** Ids of the part of a text that training may see, and of the part held out; no window crosses the border. */
export function splitHeldOut(ids: Int32Array, heldOut = 0.1): { train: Int32Array; heldOut: Int32Array } {
  const border = Math.floor(ids.length * (1 - heldOut));
  return { train: ids.subarray(0, border), heldOut: ids.subarray(border) };
}

/**
 * Evaluates a character model on the end of a text: likelihood in windows and as one stream, and speed.
 * @param text the whole text, of which training saw the beginning (`splitHeldOut`).
 * @param characters the vocabulary, ids in order.
 */
export async function evaluateOsam(
  engine: Engine,
  model: OsamModel,
  params: OsamParams<NDArray>,
  text: string,
  characters: readonly string[],
  options: OsamEvaluationOptions = {},
): Promise<OsamEvaluation> {
  const { heldOut = 0.1, seqLen = 64, speed = true } = options;
  const tokenizer = CharacterTokenizer.fromText(characters.join(''));
  const ids = splitHeldOut(tokenizer.encode(text) as Int32Array, heldOut).heldOut;
  const run = async (regime: 'windowed' | 'streaming', lanes: number) => {
    const evaluator = new Evaluator(engine, model, { chunk: seqLen, lanes, regime, tokenizer });
    try {
      return await evaluator.run(params, ids);
    } finally {
      await evaluator.dispose();
    }
  };
  const windowed = await run('windowed', 16);
  const streaming = await run('streaming', 1);
  const description = engine.describe();
  return {
    config: model.options,
    parameters: parameterCount(model.options),
    ...(options.seed !== undefined && { seed: options.seed }),
    engine: `${description.name} (${description.runtime}, ${description.threads} threads)`,
    windowed,
    streaming,
    ...(speed !== false && {
      speed: await measureSpeed(engine, model, params, speed === true ? { seqLen } : speed),
    }),
  };
}

/** The evaluation as a Markdown page. */
export function evaluationMarkdown(report: OsamEvaluation): string {
  const { config, windowed, streaming, speed } = report;
  const row = (name: string, evaluation: TextEvaluation) =>
    `| ${name} | ${evaluation.loss.toFixed(4)} | ${evaluation.perplexity.toFixed(3)} | ${(evaluation.bitsPerCharacter ?? Number.NaN).toFixed(4)} | ${(evaluation.bitsPerByte ?? Number.NaN).toFixed(4)} | ${(100 * evaluation.accuracy).toFixed(1)} % | ${evaluation.tokens} |`;
  const lines = [
    `# OSAM evaluation`,
    '',
    `${config.mode} mode, ${config.layers} block(s), d ${config.dModel}, m ${config.sketchDim}; ${report.parameters} parameters; seed ${report.seed ?? 'not given'}; ${report.engine}`,
    '',
    '| regime | nats/token | perplexity | bits/character | bits/byte | top-1 | tokens |',
    '|---|---|---|---|---|---|---|',
    row('windows, fresh memory', windowed),
    row('one stream', streaming),
    '',
    '| tokens in memory | nats/token | tokens |',
    '|---|---|---|',
    ...streaming.buckets.map(
      ({ from, to, loss, tokens }) => `| ${from} to ${to ?? 'end'} | ${loss.toFixed(4)} | ${tokens} |`,
    ),
  ];
  if (speed) lines.push('', ...speedMarkdown(speed));
  return `${lines.join('\n')}\n`;
}

function speedMarkdown(speed: SpeedReport): string[] {
  return [
    `Training ${speed.trainTokensPerSecond.toFixed(0)} tokens/s, prefill ${speed.prefillTokensPerSecond.toFixed(0)} tokens/s, state ${speed.stateBytes} bytes${speed.peakBytes ? `, peak memory ${(speed.peakBytes / 2 ** 20).toFixed(0)} MiB` : ''}.`,
    '',
    '| context | ms/token | tokens/s |',
    '|---|---|---|',
    ...speed.decode.map(
      ({ context, millisecondsPerToken, tokensPerSecond }) =>
        `| ${context} | ${millisecondsPerToken.toFixed(3)} | ${tokensPerSecond.toFixed(0)} |`,
    ),
  ];
}
