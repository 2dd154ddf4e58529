import type { MechanismVerb } from '@palimpsest/lm';
import { z } from 'zod';
import { place, withMemory } from './memory-place.js';

/** Of the interface, which grows by tools. */
const VERSION = '1.0.0';

const schema = z.strictObject({
  ...place,
  http: z
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe('port on this machine to serve over HTTP, 0 for any; without it standard input and output'),
});

/** `memory serve`: the memory as tools of other programs. */
export const serveVerb: MechanismVerb<typeof schema> = {
  path: ['memory', 'serve'],
  description: 'serve the memory to agents by the Model Context Protocol',
  schema,
  examples: ['palimpsest memory serve --folder memory', 'palimpsest memory serve --http 8700'],
  run: (options, { output, signal }) =>
    withMemory(options, async (memory) => {
      const { serveHttp, serveStdio } = await import('#mcp');
      if (options.http === undefined) {
        await serveStdio(memory, VERSION, signal);
        return 0;
      }
      const serving = await serveHttp(memory, VERSION, options.http);
      output.print(`serving ${memory.size} memories at ${serving.url}`);
      output.emit({ url: serving.url });
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      await serving.close();
      return 0;
    }),
};
