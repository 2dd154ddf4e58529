export {
  createEpochStep,
  type EpochStepInputs,
  type EpochStepOutputs,
} from './epoch-step.js';
export * from './epoch-trainer.js';
export { type EpochOptimizer, epochOptimizer, type OptimizerOptions } from './optimizer.js';
export { type EpochEvent, type EpochHistory, type TrainEpochsOptions, trainEpochs } from './train-epochs.js';
