import { readyEngine } from './engine.js';
import { inspect, recall } from './inspect.js';
import type { CallName, Calls, FromWorker, ToWorker } from './protocol.js';
import { forget, openForTalk, restore, save, say, wander } from './talk.js';
import { train } from './train.js';

type Handler<Name extends CallName> = (
  request: Calls[Name]['request'],
  news: (news: Calls[Name]['news']) => void,
  signal: AbortSignal,
) => Promise<Calls[Name]['result']>;

type AnyHandler = (request: unknown, news: (news: unknown) => void, signal: AbortSignal) => Promise<unknown>;

const handlers: { readonly [Name in CallName]: Handler<Name> } = {
  train,
  open: openForTalk,
  say,
  wander,
  forget,
  save,
  restore,
  inspect,
  recall,
};

const running = new Map<number, AbortController>();
const answer = (message: FromWorker) => self.postMessage(message);

async function run(id: number, name: CallName, request: unknown): Promise<void> {
  const stop = new AbortController();
  running.set(id, stop);
  try {
    await readyEngine();
    const handler = handlers[name] as AnyHandler;
    const news = (what: unknown) => answer({ id, type: 'news', news: what });
    answer({ id, type: 'result', result: await handler(request, news, stop.signal) });
  } catch (error) {
    answer({ id, type: 'error', message: error instanceof Error ? error.message : String(error) });
  } finally {
    running.delete(id);
  }
}

self.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.name === 'stop') running.get(data.id)?.abort();
  else void run(data.id, data.name, data.request);
};
