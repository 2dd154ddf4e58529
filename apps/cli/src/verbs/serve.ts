import type { LanguageModel } from '@palimpsest/harness';
import { createEngine } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { ExitCode } from '../exit.js';
import { engineOptions, engineSettings, outputOptions } from '../options/common.js';
import { memoryOptions, withMemory } from '../options/memory.js';
import { modelArgument, placeOf, pretrainedOptions } from '../options/pretrained.js';
import { openModel } from '../speak.js';
import { defineVerb } from '../verb.js';

/** Environment variable with the key of clients, which a command line would show to everybody on the machine. */
const KEY = 'PALIMPSEST_API_KEY';

const count = (least: number, usual: number, description: string) =>
  z.int().min(least).default(usual).meta({ description, value: 'count' });

/** `palimpsest serve`: a model over HTTP, until it is told to stop. */
export const serve = defineVerb({
  path: ['serve'],
  description: "serve a model over HTTP with OpenAI's shapes, and sessions whose memory is kept by id",
  arguments: [modelArgument],
  schema: z.object({
    host: z.string().default('127.0.0.1').meta({ description: 'address to listen at' }),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(8080)
      .meta({ description: 'port to listen at; 0: any that is free' }),
    apiKey: z
      .string()
      .min(1)
      .optional()
      .meta({ description: `key that clients have to send (default: $${KEY}, or none)`, value: 'text' }),
    name: z.string().min(1).optional().meta({
      description: 'name of the model for clients (default: that of its folder or file)',
      value: 'name',
    }),
    parallel: count(1, 4, 'replies that are written side by side, each in a memory of its own'),
    queue: count(0, 64, 'requests that may wait; further ones get 429'),
    maxTokens: count(1, 4096, 'most tokens of a reply'),
    maxPromptTokens: count(1, 16_384, 'most tokens of a prompt'),
    bodyLimit: count(1, 1_048_576, "most bytes of a request's body"),
    sessions: z.string().default('palimpsest-sessions').meta({
      description: 'folder where sessions are saved',
      value: 'folder',
    }),
    heldSessions: count(0, 64, 'sessions held in memory; older ones are in their files'),
    maxSessions: count(1, 1000, 'sessions kept in all; a request for one more is refused'),
    ...pretrainedOptions,
    ...memoryOptions,
    ...engineOptions,
    ...outputOptions,
  }),
  examples: [
    'palimpsest serve runs/my-run',
    'palimpsest serve --model model.gguf --weights 8bit --memory sinks --budget 1024 --port 8000',
  ],
  async run(options, context, positional) {
    const { output, registry, signal, interrupts } = context;
    const { host, port, name, parallel, queue, bodyLimit, sessions, heldSessions } = options;
    const apiKey = options.apiKey ?? (process.env[KEY] || undefined);
    const path = placeOf(options, positional);
    // The one verb that needs an HTTP server.
    const { isLoopback, startServer } = await import('@palimpsest/serve');
    const engine = await createEngine(options.engine, engineSettings(options));
    const release = interrupts.saves();
    let language: LanguageModel | undefined;
    try {
      language = await openModel(path, options, context, engine);
      const model = await withMemory(language.model, options, registry);
      if (apiKey === undefined && !isLoopback(host)) {
        output.note(
          `warning: whoever reaches ${host} may use this server; --api-key or $${KEY} asks for a key.`,
        );
      }
      const server = await startServer({
        ...{ engine, language: { ...language, model }, name, host, port, apiKey },
        ...{ parallel, queue, bodyLimit, sessions, heldSessions },
        maximumSessions: options.maxSessions,
        maximumTokens: options.maxTokens,
        maximumPromptTokens: options.maxPromptTokens,
        onFailure: (error) => output.note(`error: ${error instanceof Error ? error.stack : String(error)}`),
      });
      output.print(`${server.url}/v1 serves ${server.model}. Ctrl-C saves the sessions and ends.`);
      output.emit({ url: `${server.url}/v1`, model: server.model });
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      const saved = await server.close();
      if (saved > 0) output.note(`Saved ${saved} ${saved === 1 ? 'session' : 'sessions'} in ${sessions}.`);
      return ExitCode.interrupted;
    } finally {
      release();
      await engine.dispose();
      await language?.dispose();
    }
  },
});
