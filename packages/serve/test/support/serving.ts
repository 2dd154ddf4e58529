import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LanguageModel, openLanguageModel } from '@palimpsest/harness';
import { createEngine, type Engine } from '@palimpsest/tensor-core';
import OpenAI from 'openai';
import { afterAll, beforeAll } from 'vitest';
import { type RunningServer, type ServerOptions, startServer } from '../../src/index.js';

const TEMPLATE =
  "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";

export const scratch = mkdtempSync(join(tmpdir(), 'palimpsest-serve-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let folders = 0;
export const newFolder = (): string => {
  folders += 1;
  return join(scratch, `folder-${folders}`);
};

/** A tiny Llama with a chat template, whose replies never end by themselves unless that is asked for. */
async function openTiny(ends: boolean): Promise<LanguageModel> {
  const folder = join(newFolder(), 'tiny-llama3');
  cpSync(fileURLToPath(new URL('../../../backbone/test/golden/hf/tiny-llama3', import.meta.url)), folder, {
    recursive: true,
  });
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ bos_token: '<|begin_of_text|>', eos_token: '<|eot_id|>', chat_template: TEMPLATE }),
  );
  const language = await openLanguageModel(folder, undefined, { window: 24, sinks: 2 });
  return ends ? language : { ...language, endIds: [] };
}

/** Starts servers on one engine, and ends them all after the tests of the file. */
export function serving() {
  let engine: Engine;
  const running = new Set<RunningServer>();
  beforeAll(async () => {
    engine = await createEngine('onnx', { threads: 1 });
  });
  afterAll(async () => {
    for (const server of running) await server.close();
    await engine.dispose();
  });
  return {
    engine: () => engine,
    async start(options: Partial<ServerOptions> & { ends?: boolean } = {}) {
      const { ends = false, ...given } = options;
      const language = given.language ?? (await openTiny(ends));
      const server = await startServer({ engine, port: 0, sessions: newFolder(), ...given, language });
      running.add(server);
      return {
        ...server,
        language,
        client: new OpenAI({ baseURL: `${server.url}/v1`, apiKey: given.apiKey ?? 'none', maxRetries: 0 }),
        post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
          fetch(`${server.url}${path}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...headers },
            body: typeof body === 'string' ? body : JSON.stringify(body),
          }),
        close: async () => {
          running.delete(server);
          return server.close();
        },
      };
    },
  };
}

/** The value of a metric without labels. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^palimpsest_${name} (\\S+)$`, 'm').exec(text)![1]);
}

/** Waits until something is so. @param limit milliseconds */
export async function until(isSo: () => Promise<boolean> | boolean, limit = 10_000): Promise<void> {
  const end = performance.now() + limit;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`What was waited for did not happen within ${limit} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
