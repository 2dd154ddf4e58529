import {
  clipByGlobalNorm,
  crossEntropy,
  stopGradient,
  tf,
  treeMap,
  valueAndGradient,
} from '@palimpsest/tensor-core';
import type { RsmConfig } from '../config.js';
import { keyedDropout, noDropout } from '../dropout-source.js';
import { embedTokens, forwardChunk } from '../forms/chunk.js';
import { globalSync, syncMemory } from '../memory/global-sync.js';
import { joinMemory, splitMemory } from '../memory/slots.js';
import type { RsmParams } from '../parameters.js';
import type { EpochOptimizer } from './optimizer.js';

export interface EpochStepInputs {
  readonly params: RsmParams;
  readonly optimizer: unknown;
  /** Memory before the chunk; nothing flows back through it. */
  readonly memory: tf.Tensor;
  /** int32 [batch, time]. */
  readonly x: tf.Tensor2D;
  readonly y: tf.Tensor2D;
  /** Scalar. */
  readonly learningRate: tf.Tensor;
  /** int32 [2]. */
  readonly dropoutKey: tf.Tensor;
}

export interface EpochStepOutputs {
  readonly params: RsmParams;
  readonly optimizer: unknown;
  /** Memory for the next chunk, after a sync if there was one. */
  readonly memory: tf.Tensor;
  /** Memory that the model gave, before any sync. */
  readonly written: tf.Tensor;
  /** Mean cross-entropy. */
  readonly loss: tf.Tensor;
  /** Tokens whose likeliest successor was the right one, in training mode. */
  readonly correct: tf.Tensor;
  /** 2-norm of the model's gradients before clipping, the sync's left out. */
  readonly gradientNorm: tf.Tensor;
}

/**
 * One chunk of the reference's epoch loop (rsm.md 7, 3 to 6) as a pure function: forward, sync of the memory if it is due,
 * mean cross-entropy, the gradients of model and sync clipped apart, optimiser.
 * @param isSynced whether the sync is due after this chunk
 */
export function createEpochStep(config: RsmConfig, optimizer: EpochOptimizer, isSynced: boolean) {
  return (inputs: EpochStepInputs): EpochStepOutputs => {
    const { params, x, y } = inputs;
    const dropout =
      config.dropout > 0 || config.globalSyncDropout > 0
        ? keyedDropout(inputs.dropoutKey, config)
        : noDropout;
    const { value, gradients, aux } = valueAndGradient((current: RsmParams) => {
      const chunk = forwardChunk(config, current, x, stopGradient(inputs.memory), { dropout });
      const rows = tf.reshape(chunk.logits, [-1, config.vocabSize]);
      const labels = tf.reshape(y, [-1]);
      const correct = tf.sum(tf.cast(tf.equal(tf.argMax(rows, 1), labels), 'float32'));
      return [
        crossEntropy(rows, labels),
        { correct, written: chunk.memory, hidden: chunk.hidden as tf.Tensor },
      ] as const;
    }, params);
    const { gradients: clipped, norm } = clipApart(gradients, config.maxGradNorm);
    const updated = optimizer.update(params, clipped, inputs.optimizer, inputs.learningRate);
    const memory = isSynced
      ? synced(config, params, x, aux, (value_) => dropout(value_, { site: 'sync' }))
      : aux.written;
    return {
      params: updated.params,
      optimizer: updated.state,
      memory,
      written: aux.written,
      loss: value,
      correct: aux.correct,
      gradientNorm: norm,
    };
  };
}

/**
 * The memory after a sync, with the parameters before the step: on the embedded tokens, without dropout, in the mode
 * `parity`; on the last hidden states in the mode `hidden`. It comes after the loss, so nothing flows back.
 */
function synced(
  config: RsmConfig,
  params: RsmParams,
  x: tf.Tensor2D,
  { written, hidden }: { readonly written: tf.Tensor; readonly hidden: tf.Tensor },
  dropout: (value: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const sync = params.sync!;
  const memories = splitMemory(config, written);
  const last = memories.pop()!;
  const after =
    config.syncMode === 'parity'
      ? globalSync(sync, embedTokens(params, x), last, dropout).memory
      : syncMemory(sync, hidden, last, dropout);
  return joinMemory(config, [...memories, after]);
}

/** Clips the gradients of the model and those of the sync, each by its own norm. */
function clipApart(gradients: unknown, maximum: number): { gradients: unknown; norm: tf.Tensor } {
  const part = (isSync: boolean) =>
    treeMap<tf.Tensor | undefined, tf.Tensor | undefined>(gradients, (leaf, path) =>
      path.startsWith('sync.') === isSync ? leaf : undefined,
    );
  const model = clipByGlobalNorm(part(false), maximum);
  const sync = clipByGlobalNorm(part(true), maximum).gradients as Record<string, unknown>;
  const whole = model.gradients as Record<string, unknown>;
  return { gradients: 'sync' in whole ? { ...whole, sync: sync.sync } : whole, norm: model.norm };
}
