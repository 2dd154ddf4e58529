import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Desk } from './answer.js';
import { complete, type Delivery } from './completions.js';
import { ApiError } from './errors.js';
import {
  type ChatRequest,
  type CompletionRequest,
  chatSchema,
  completionSchema,
  parseBody,
} from './requests.js';
import { askOfChat, askOfCompletion } from './served-model.js';
import { sessionIdSchema } from './session-store.js';
import { chatShape, completionShape } from './shapes.js';

const forkSchema = z.strictObject({ id: sessionIdSchema });

/**
 * Everything that is answered.
 * @param name of the model, for clients
 * @param closing aborted when the server shuts down
 */
export function addRoutes(app: FastifyInstance, desk: Desk, name: string, closing: AbortSignal): void {
  const { language, limits } = desk;
  const model = {
    id: name,
    object: 'model',
    created: Math.floor(Date.now() / 1000),
    owned_by: 'palimpsest',
  };
  const requireModel = (asked: string) => {
    if (asked === name) return;
    throw new ApiError(
      404,
      'model_not_found',
      `There is no model '${asked}' here; there is '${name}'.`,
      'model',
    );
  };

  app.get('/health', async () => ({ status: 'ok' }));
  app.get('/v1/models', async () => ({ object: 'list', data: [model] }));
  app.get<{ Params: { id: string } }>('/v1/models/:id', async ({ params: { id } }) => {
    requireModel(id);
    return model;
  });

  app.post('/v1/completions', async ({ body }, reply) => {
    const request = parseBody(completionSchema, body);
    requireModel(request.model);
    const ask = await askOfCompletion(language, limits, request);
    const shape = completionShape(language, name, request.logprobs != null);
    return complete(desk, ask, shape, deliveryOf(request), reply, closing);
  });

  app.post('/v1/chat/completions', async ({ body }, reply) => {
    const request = parseBody(chatSchema, body);
    requireModel(request.model);
    const ask = await askOfChat(language, limits, request);
    const shape = chatShape(language, name, request.logprobs === true);
    return complete(desk, ask, shape, deliveryOf(request), reply, closing);
  });

  addSessionRoutes(app, desk);
  app.get('/metrics', async (_request, reply) => {
    const { pool, store, metrics } = desk;
    reply.type('text/plain; version=0.0.4; charset=utf-8');
    return metrics.text({
      requests_running: ['replies that are being written', pool.running],
      requests_waiting: ['requests that wait for a memory', pool.waiting],
      memory_bytes: ['memories that replies are written in', pool.bytes],
      sessions_held: ['sessions held in memory', store.held],
      sessions_held_bytes: ['bytes of those', store.heldBytes],
    });
  });
}

function addSessionRoutes(app: FastifyInstance, { store }: Desk): void {
  app.get('/v1/sessions', async () => ({
    object: 'list',
    data: store.ids().map((id) => ({ id, object: 'session' })),
  }));
  app.get<{ Params: { id: string } }>('/v1/sessions/:id', async ({ params: { id } }) => ({
    ...store.facts(id),
    object: 'session',
  }));
  app.delete<{ Params: { id: string } }>('/v1/sessions/:id', async ({ params: { id } }) => {
    await store.remove(id);
    return { id, object: 'session', deleted: true };
  });
  app.post<{ Params: { id: string } }>('/v1/sessions/:id/fork', async ({ params, body }) => ({
    ...(await store.fork(params.id, parseBody(forkSchema, body).id)),
    object: 'session',
  }));
}

function deliveryOf({ stream, stream_options }: CompletionRequest | ChatRequest): Delivery {
  const withUsage = stream_options?.include_usage === true;
  if (stream !== true && stream_options != null) {
    throw new ApiError(400, 'invalid_value', "'stream_options' needs 'stream' to be true.", 'stream_options');
  }
  return { stream: stream === true, withUsage };
}
