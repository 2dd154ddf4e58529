export {
  createEpochStep,
  type EpochStepInputs,
  type EpochStepOutputs,
} from './epoch-step.js';
export * from './epoch-trainer.js';
export { type EpochOptimizer, epochOptimizer, type OptimizerOptions } from './optimizer.js';
