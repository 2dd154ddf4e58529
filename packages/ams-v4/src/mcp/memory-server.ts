import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import type { AgentMemory } from '../agent/agent-memory.js';

const metadata = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const id = z.number().int().min(0).describe('number of the memory');
const namespace = z.string().optional().describe('namespace; left out, all are meant');
const when = z.string().datetime({ offset: true });

const filter = {
  namespace,
  where: metadata.optional().describe('only memories whose metadata has these'),
  since: when.optional().describe('only memories from this time on'),
  until: when.optional().describe('only memories before this time'),
};

type Filter = z.output<z.ZodObject<typeof filter>>;

const filterOf = ({ namespace: own, where, since, until }: Filter) => ({
  namespace: own,
  where,
  since: since === undefined ? undefined : Date.parse(since),
  until: until === undefined ? undefined : Date.parse(until),
});

const told = (value: object) => ({
  content: [{ type: 'text' as const, text: JSON.stringify(value) }],
  structuredContent: { ...value },
});

/**
 * A memory as a server of the Model Context Protocol: tools `memory_add`, `memory_search`, `memory_update`, `memory_forget` and
 * `memory_list`, and `memory_ask` where a language model answers. Whatever a tool refuses comes back as an error of the call.
 * @param version of the program that serves
 */
export function memoryServer(memory: AgentMemory, version: string): McpServer {
  const server = new McpServer({ name: 'palimpsest-memory', version });
  server.registerTool(
    'memory_add',
    {
      description: 'Remember a text. One that is known already is not written twice.',
      inputSchema: {
        text: z.string().describe('what to remember, as one sentence that can stand alone'),
        namespace: z.string().optional().describe('namespace, default `default`'),
        metadata: metadata.optional().describe('what else is known of it'),
        time: when.optional().describe('when it was said, default now'),
      },
      // Telling it again counts as a use.
      annotations: { destructiveHint: false, openWorldHint: false },
    },
    async ({ text, time, ...options }) =>
      told(await memory.add(text, { ...options, time: time === undefined ? undefined : Date.parse(time) })),
  );
  server.registerTool(
    'memory_search',
    {
      description: 'Find memories that fit a question or some words, best first.',
      inputSchema: {
        query: z.string().describe('the question, or words'),
        k: z.number().int().min(1).optional().describe('most memories, default 5'),
        ...filter,
      },
      // What is found counts as used.
      annotations: { destructiveHint: false, openWorldHint: false },
    },
    async ({ query, k, ...rest }) => told({ memories: await memory.search(query, { k, ...filterOf(rest) }) }),
  );
  server.registerTool(
    'memory_update',
    {
      description: 'Put another text in the place of a memory that no longer holds.',
      inputSchema: { id, text: z.string().describe('what holds now') },
      annotations: { openWorldHint: false },
    },
    async ({ id: own, text }) => told(await memory.update(own, text)),
  );
  server.registerTool(
    'memory_forget',
    {
      description: 'Forget a memory for good.',
      inputSchema: { id },
      annotations: { destructiveHint: true, openWorldHint: false },
    },
    async ({ id: own }) => told({ forgotten: await memory.forget(own) }),
  );
  server.registerTool(
    'memory_list',
    {
      description: 'All memories, in the order in which they were added.',
      inputSchema: filter,
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    async (rest) => told({ memories: memory.list(filterOf(rest)) }),
  );
  if (memory.answers) {
    server.registerTool(
      'memory_ask',
      {
        description: 'Answer a question from memory, with the memories that the answer stands on.',
        inputSchema: { question: z.string(), ...filter },
        annotations: { destructiveHint: false, openWorldHint: false },
      },
      async ({ question, ...rest }) => told(await memory.ask(question, filterOf(rest))),
    );
  }
  return server;
}
