import type { TransformerParameters } from '@palimpsest/backbone';
import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { type NDArray, type tf, treeToRecord, valueAndGradient } from '@palimpsest/tensor-core';
import { jaccard } from '../losses/bundle-axis-alignment.js';
import { reconstruction } from '../losses/reconstruction.js';
import type { AdapterParameters } from '../model/adapters.js';
import { batchLosses, type LossBatch, type Losses } from '../training/losses.js';
import { Trainer4 } from '../training/trainer.js';
import { TrainingTexts } from '../training/training-texts.js';
import { runCase } from './case-parts.js';
import { idRows, memoryOf } from './memory-case-parts.js';

const system = 'ams-v4';
const DIFFERENTIABLE = [
  'prefixSemanticAnchor',
  'bundleAxisAlignment',
  'crossBundleIndependence',
  'writePolicy',
] as const satisfies readonly (keyof Losses)[];

/** Each loss alone with its gradients, and the metric of reconstruction. */
export const lossesCase: GoldenHandler = {
  system,
  kind: 'losses',
  run: async (testCase, context) => {
    const memory = await memoryOf(testCase, context);
    const texts = idRows(testCase, 'in/texts', 'in/textLen').map((ids) => ids.join(' '));
    for (const text of texts) await memory.write(text);
    const { texts: read, losses: batch } = await new TrainingTexts(memory).of(texts);
    const recon = reconstruction(memory.registry, batch.inputs.hidden);
    const outputs: Record<string, GoldenOutputs[string]> = {
      'out/hidden': read.flatMap(({ hidden }) => [...hidden]),
      'out/jaccard': jaccard(read.map(({ ids }) => ids)).data,
      'out/recon': [recon],
    };
    let total = memory.config.lossWeights.recon! * recon;
    for (const name of DIFFERENTIABLE) {
      const { value, gradients } = await runCase(
        context,
        (weights: TransformerParameters, adapters: AdapterParameters, given: LossBatch<tf.Tensor>) => {
          const { value, gradients } = valueAndGradient(
            (own: AdapterParameters) =>
              batchLosses(memory.config, memory.text.model, weights, own, given)[name],
            adapters,
          );
          return { value, gradients };
        },
        memory.text.weights,
        memory.adapters,
        batch,
      );
      outputs[`out/${name}`] = value.data;
      total += memory.config.lossWeights[name]! * value.data[0]!;
      const named = treeToRecord<NDArray | undefined>(gradients);
      for (const [path, gradient] of Object.entries(named)) {
        const key = `grad/${name}/${path}`;
        if (gradient && testCase.has(key)) outputs[key] = gradient.data;
        // What the case lists as out of reach of all losses.
        if (gradient && testCase.member<string[]>('gradNone', []).includes(path))
          outputs[`grad/${path}`] = gradient.data;
      }
    }
    outputs['out/total'] = [total];
    await memory.dispose();
    return outputs;
  },
};

/** Three steps of the trainer: losses, and weights after the first and the third. */
export const trainerCase: GoldenHandler = {
  system,
  kind: 'trainer-steps',
  run: async (testCase, context) => {
    const memory = await memoryOf(testCase, context);
    const texts = idRows(testCase, 'in/texts', 'in/textLen').map((ids) => ids.join(' '));
    const { lr, weightDecay, gradClip } = testCase.member('optimizer', {
      lr: 0,
      weightDecay: 0,
      gradClip: 0,
    });
    const trainer = new Trainer4(memory, { learningRate: lr, weightDecay, gradClip });
    const batches = testCase.array<'int32'>('in/batches');
    const [steps, size] = batches.shape as [number, number];
    const rows: number[] = [];
    const outputs: Record<string, GoldenOutputs[string]> = {};
    for (let step = 0; step < steps; step++) {
      const batch = Array.from(batches.data.slice(step * size, (step + 1) * size), (index) => texts[index]!);
      const { total, components } = await trainer.step(batch);
      const { prefixSemanticAnchor, bundleAxisAlignment, crossBundleIndependence, recon, writePolicy } =
        components;
      rows.push(
        total,
        prefixSemanticAnchor,
        bundleAxisAlignment,
        crossBundleIndependence,
        recon,
        writePolicy,
      );
      const after = treeToRecord<NDArray>(memory.adapters);
      for (const [path, { data }] of Object.entries(after)) {
        const key = `out/after${step + 1}/${path}`;
        if (testCase.has(key)) outputs[key] = data;
      }
    }
    outputs['out/lossRows'] = rows;
    await trainer.dispose();
    await memory.dispose();
    return outputs;
  },
};
