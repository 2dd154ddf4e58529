/** Steps of lm's training loop on random tokens, for the benchmarks of this folder. */

/**
 * @param modules `lm` and `tensor-core` of the build that is measured
 * @param shape batch and time of the next batch; may change from call to call
 * @returns `run(shape)`, which makes one optimiser step and gives its metrics, and `dispose`
 */
export async function trainingSteps({ lm, core }, engine, model, shape) {
  const size = { ...shape, carriesState: false, hasIgnoredTargets: false };
  const rng = core.Rng.fromSeed(1);
  const params = model.init(rng);
  const settings = lm.parseTraining({ telemetry: false });
  const rules = lm.parameterRules(model, params, settings);
  const step = new lm.TrainingStep(engine, model, size, settings, rules);
  await step.begin(params);
  const tokens = ({ batch, time }) =>
    core.ndarray(
      Int32Array.from({ length: batch * time }, () => rng.int(model.vocabSize)),
      [batch, time],
      'int32',
    );
  const run = (next = shape) => {
    Object.assign(size, next);
    const batch = {
      inputs: tokens(next),
      targets: tokens(next),
      resets: core.ndarray(new Int32Array(next.batch).fill(1), [next.batch], 'int32'),
    };
    return step.run([batch], { learningRate: 1e-3, dropoutKeys: [core.zeros([2], 'int32')] });
  };
  return { run, dispose: () => step.dispose() };
}
