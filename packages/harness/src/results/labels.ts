import type { EvaluationRegistry } from '../cells/task.js';
import type { Entry } from './entry.js';

/** Names of tasks, models and slices for people. */
export class Labels {
  readonly #registry: EvaluationRegistry;

  constructor(registry: EvaluationRegistry) {
    this.#registry = registry;
  }

  task(name: string): string {
    return this.#registry.tasks.find((task) => task.name === name)?.title ?? name;
  }

  /** The model without its size, as in 'OSAM'. */
  model(name: string): string {
    return this.#registry.contenders.find((contender) => contender.name === name)?.title ?? name;
  }

  isCounted(name: string | undefined): boolean {
    return this.#registry.contenders.find((contender) => contender.name === name)?.kind === 'counted';
  }

  mechanism(name: string): string {
    return this.#registry.contenders.find((contender) => contender.name === name)?.mechanism ?? name;
  }

  /** Width that a model was made with, its own default included; undefined for one without a width. */
  width({ model, modelOptions }: Pick<Entry, 'model' | 'modelOptions'>): number | undefined {
    const contender = this.#registry.contenders.find(({ name }) => name === model);
    const width = contender?.options.safeParse(modelOptions).data?.width;
    return typeof width === 'number' ? width : undefined;
  }

  /** Who an entry is about: the model with its size, or the library's part that was measured. */
  entry({
    model,
    modelOptions,
    task,
    taskOptions,
  }: Pick<Entry, 'model' | 'modelOptions' | 'task' | 'taskOptions'>): string {
    if (model !== undefined) return [this.model(model), ...optionWords(modelOptions)].join(', ');
    return typeof taskOptions.system === 'string' ? taskOptions.system : this.task(task);
  }
}

/** Options as words, as in 'width 64'. */
export function optionWords(options: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(options).map(
    ([name, value]) => `${spaced(name)} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
}

/** `trainLength` as 'train length'. */
function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** A slice as words, as in 'length 64, pairs 8'. */
export function sliceWords(slice: Readonly<Record<string, number | string>>): string {
  return optionWords(slice).join(', ');
}
