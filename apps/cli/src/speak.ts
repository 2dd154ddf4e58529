import { type LanguageModel, openLanguageModel } from '@palimpsest/harness';
import { generate, Session, unknownCharactersRemark } from '@palimpsest/lm';
import { createEngine, type Engine } from '@palimpsest/tensor-core';
import { createPrompting, type Prompt } from './chat/prompting.js';
import { runRepl } from './chat/repl.js';
import { type AnyRecollection, StateRecollection } from './chat/state-recollection.js';
import { ExitCode } from './exit.js';
import { engineSettings } from './options/common.js';
import { withMemory } from './options/memory.js';
import { cacheOf } from './options/pretrained.js';
import { samplingOf } from './options/sampling.js';
import { recollectionOf } from './options/text-memory.js';
import { promptOf } from './prompt-source.js';
import { followLoading } from './terminal/progress.js';
import type { VerbContext } from './verb.js';

export interface SpeakOptions {
  /** Read lines and answer each, instead of one reply to `--prompt`. */
  readonly interactive: boolean;
  /** Keep the memory from line to line. */
  readonly conversation: boolean;
  readonly emptyLine?: string;
}

type Values = Readonly<Record<string, unknown>>;

/** Opens a model and lets it speak: one reply to the prompt, or a REPL. */
export async function speak(
  path: string,
  options: Values,
  context: VerbContext,
  how: SpeakOptions,
): Promise<ExitCode> {
  const engine = await createEngine(options.engine as 'auto', engineSettings(options));
  let language: LanguageModel | undefined;
  try {
    language = await openModel(path, options, context, engine);
    const { params, parametersId } = language;
    const recollection = await recollectionOf(options, context.registry, { language, engine });
    try {
      const model = recollection
        ? language.model
        : await withMemory(language.model, options, context.registry);
      const seed = options.seed as number;
      const session = await Session.create({ engine, model, params, seed, parametersId });
      const speaker = { language, session, recollection };
      try {
        if (how.interactive) await converse(speaker, options, context, how);
        else await reply(speaker, options, context);
      } finally {
        await session.dispose();
      }
    } finally {
      await recollection?.close();
    }
    return context.signal.aborted ? ExitCode.interrupted : ExitCode.ok;
  } finally {
    await engine.dispose();
    await language?.dispose();
  }
}

/** Opens a model as the options say, with the progress of its loading, and remarks. */
export async function openModel(
  path: string,
  options: Values,
  { output, registry, signal }: VerbContext,
  engine: Engine,
): Promise<LanguageModel> {
  const loading = followLoading(output);
  const language = await openLanguageModel(path, registry, {
    ...cacheOf(options),
    engine: engine.name,
    onProgress: loading.onProgress,
    signal,
  }).finally(loading.stop);
  for (const warning of language.warnings) output.note(`warning: ${warning}`);
  return language;
}

/** Who speaks: a model, what it has read, and what was said to it before. */
interface Speaker {
  readonly language: LanguageModel;
  readonly session: Session;
  readonly recollection: AnyRecollection | undefined;
}

async function reply(
  { language, session, recollection }: Speaker,
  options: Values,
  { output, signal, given, asked }: VerbContext,
): Promise<void> {
  const { promptPath, stop } = options as { promptPath?: string; stop?: string };
  const prompt = await promptOf(options, asked, signal);
  const unknown = unknownCharactersRemark(language.tokenizer, prompt, 'prompt');
  if (unknown !== undefined) output.note(`warning: ${unknown}`);
  if (promptPath === undefined) output.write(prompt);
  const { ids, keepContext } = await readPrompt({ language, session, recollection }, prompt);
  const recalled = recollection?.last;
  let text = '';
  const events = generate({
    session,
    tokenizer: language.tokenizer,
    prompt: ids,
    keepContext,
    maximumTokens: options.maxNewTokens as number,
    sampling: samplingOf(options, given, language.sampling),
    priming: primingOf(options, language),
    stopIds: language.endIds,
    stop: [stop, turnOf(recollection)].filter((end) => end !== undefined),
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
    if (recalled)
      output.note(
        `${recalled.texts.length} of ${recollection!.about} before the prompt, ${recalled.tokens} tokens`,
      );
    output.emit({
      prompt,
      text,
      tokens,
      tokensPerSecond,
      reason,
      stateBytes,
      ...(recalled && { memories: recalled.texts }),
    });
  }
}

/** What a prompt makes the model read, behind or beside what a memory of texts finds for it. */
async function readPrompt({ language, session, recollection }: Speaker, prompt: string): Promise<Prompt> {
  if (recollection instanceof StateRecollection) return recollection.before(prompt, session);
  const before = (await recollection?.before(prompt, { position: 0, fresh: true })) ?? '';
  return { ids: language.encodeStart(before + prompt), keepContext: false };
}

async function converse(
  { language, session, recollection }: Speaker,
  options: Values,
  { output, interrupts, given }: VerbContext,
  { conversation, emptyLine }: SpeakOptions,
): Promise<void> {
  output.note(`${language.model.name}, ${session.stateBytes} bytes of memory. :help lists the commands.`);
  await runRepl({
    state: {
      session,
      sampling: samplingOf(options, given, language.sampling),
      conversation,
      kept: new Map(),
      prompting: createPrompting(language, options.memory !== undefined && !recollection),
      recollection,
    },
    tokenizer: language.tokenizer,
    maximumTokens: options.maxNewTokens as number,
    priming: primingOf(options, language),
    stopIds: language.endIds,
    stop: language.lineEnd ?? turnOf(recollection),
    emptyLine,
    interrupts,
  });
}

/** What ends an answer behind states of a memory. */
const turnOf = (recollection: AnyRecollection | undefined): string | undefined =>
  recollection instanceof StateRecollection ? recollection.stop : undefined;

/** How prompts are read: as asked, or as the model's configuration says. */
function primingOf(options: Values, { model }: LanguageModel): 'exact' | 'reference' {
  return (options.priming ?? model.speaking?.priming) === 'reference' ? 'reference' : 'exact';
}
