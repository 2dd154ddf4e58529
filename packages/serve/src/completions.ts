import type { TokenEvent } from '@palimpsest/lm';
import type { FastifyReply } from 'fastify';
import { type Answer, answer, type Desk } from './answer.js';
import { ApiError, describeError, isInternal } from './errors.js';
import { EventStream } from './event-stream.js';
import type { Ask } from './served-model.js';
import { finishReason, type Shape, usageOf } from './shapes.js';

/** How a reply is sent. */
export interface Delivery {
  readonly stream: boolean;
  /** Tell the numbers of tokens at the end of a stream. */
  readonly withUsage: boolean;
}

/** Answers a request, as one document or piece by piece. */
export async function complete(
  desk: Desk,
  ask: Ask,
  shape: Shape,
  { stream, withUsage }: Delivery,
  reply: FastifyReply,
  closing: AbortSignal,
): Promise<FastifyReply> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  const gone = () => {
    if (!reply.raw.writableFinished) leave();
  };
  reply.raw.on('close', gone);
  // The client may have left while the length of its prompt was counted.
  if (reply.raw.destroyed) leave();
  closing.addEventListener('abort', leave);
  try {
    return stream
      ? await sendPieces(desk, ask, shape, withUsage, reply, leaving.signal)
      : await sendWhole(desk, ask, shape, reply, leaving.signal);
  } finally {
    reply.raw.off('close', gone);
    closing.removeEventListener('abort', leave);
  }
}

async function sendWhole(
  desk: Desk,
  ask: Ask,
  shape: Shape,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const tokens: TokenEvent[] = [];
  let text = '';
  const result = await answer(desk, ask, signal, (event) => {
    text += event.text;
    if (event.type === 'token') tokens.push(event);
  });
  if (result.end.reason === 'aborted') throw stopped();
  return reply.send({ ...shape.whole(text, tokens, finishReason(result.end)), ...tail(ask, result) });
}

async function sendPieces(
  desk: Desk,
  ask: Ask,
  shape: Shape,
  withUsage: boolean,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<FastifyReply> {
  const events = new EventStream(reply.raw, signal);
  // Tokens whose text is not certain yet go with the next one that has some.
  let waiting: TokenEvent[] = [];
  const open = async () => {
    if (!events.isOpen) for (const document of shape.opening()) await events.send(document);
  };
  try {
    const result = await answer(desk, ask, signal, async (event) => {
      if (event.type === 'end') return;
      waiting.push(event);
      if (event.text === '') return;
      await open();
      const tokens = waiting;
      waiting = [];
      await events.send(shape.piece(event.text, tokens, null));
    });
    if (result.end.reason === 'aborted') throw stopped();
    await open();
    await events.send({
      ...shape.piece(result.end.text, waiting, finishReason(result.end)),
      ...warningsOf(ask),
    });
    if (withUsage) {
      const { usage } = tail(ask, result);
      await events.send({ ...shape.piece('', [], null), choices: [], usage });
    }
    await events.send('[DONE]');
  } catch (error) {
    if (!events.isOpen) throw error;
    // The status is sent already, so that no other place sees this error.
    if (isInternal(error)) desk.onFailure(error);
    await events.send(describeError(error).body);
  }
  reply.hijack();
  events.end();
  return reply;
}

const tail = (ask: Ask, { read, end }: Answer) => ({ usage: usageOf(read, end.tokens), ...warningsOf(ask) });

const warningsOf = ({ warnings }: Ask) => (warnings.length === 0 ? {} : { warnings });

const stopped = () =>
  new ApiError(503, 'reply_stopped', 'The reply was stopped before its end; the server is shutting down.');
