import { openCheckpoint, type TextCheckpoint } from '@palimpsest/harness';
import { generate, Session } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { runRepl } from './chat/repl.js';
import { ExitCode } from './exit.js';
import { engineSettings } from './options/common.js';
import { samplingOf } from './options/sampling.js';
import type { VerbContext } from './verb.js';

export interface SpeakOptions {
  /** Read lines and answer each, instead of one reply to `--prompt`. */
  readonly interactive: boolean;
  /** Keep the memory from line to line. */
  readonly conversation: boolean;
  readonly emptyLine?: string;
}

type Values = Readonly<Record<string, unknown>>;

/** Opens a checkpoint and lets it speak: one reply to the prompt, or a REPL. */
export async function speak(
  path: string,
  options: Values,
  context: VerbContext,
  how: SpeakOptions,
): Promise<ExitCode> {
  const engine = await createEngine(options.engine as 'auto', engineSettings(options));
  try {
    const checkpoint = await openCheckpoint(path);
    const { model, params, parametersId } = checkpoint;
    const seed = options.seed as number;
    const session = await Session.create({ engine, model, params, parametersId, seed });
    try {
      if (how.interactive) await converse(checkpoint, session, options, context, how);
      else await reply(checkpoint, session, options, context);
    } finally {
      await session.dispose();
    }
    return context.signal.aborted ? ExitCode.interrupted : ExitCode.ok;
  } finally {
    await engine.dispose();
  }
}

async function reply(
  checkpoint: TextCheckpoint,
  session: Session,
  options: Values,
  { output, signal }: VerbContext,
): Promise<void> {
  const { prompt, stop } = options as { prompt: string; stop?: string };
  output.write(prompt);
  let text = '';
  const events = generate({
    session,
    tokenizer: checkpoint.tokenizer,
    prompt,
    maximumTokens: options.maxNewTokens as number,
    sampling: samplingOf(options),
    priming: primingOf(options, checkpoint),
    ...(stop === undefined ? {} : { stop: [stop] }),
    signal,
  });
  for await (const event of events) {
    text += event.text;
    output.write(event.text);
    if (event.type !== 'end') continue;
    const { reason, tokens, tokensPerSecond } = event;
    const { stateBytes } = session;
    output.print('');
    output.note(
      `${tokens} tokens, ${tokensPerSecond.toFixed(0)} tokens/s, ${stateBytes} bytes of memory (${reason})`,
    );
    output.emit({ prompt, text, tokens, tokensPerSecond, reason, stateBytes });
  }
}

async function converse(
  checkpoint: TextCheckpoint,
  session: Session,
  options: Values,
  { output, interrupts }: VerbContext,
  { conversation, emptyLine }: SpeakOptions,
): Promise<void> {
  output.note(`${checkpoint.model.name}, ${session.stateBytes} bytes of memory. :help lists the commands.`);
  await runRepl({
    state: { session, sampling: samplingOf(options), conversation },
    tokenizer: checkpoint.tokenizer,
    maximumTokens: options.maxNewTokens as number,
    priming: primingOf(options, checkpoint),
    ...(emptyLine === undefined ? {} : { emptyLine }),
    interrupts,
  });
}

/** How prompts are read: as asked, or as the model's configuration says. */
function primingOf(options: Values, { model }: TextCheckpoint): 'exact' | 'reference' {
  return (options.priming ?? model.config.priming) === 'reference' ? 'reference' : 'exact';
}
