import { type DType, InputError, type TypedArray } from '@palimpsest/base';
import { stopGradient } from './gradient.js';
import { tf } from './tf.js';
import type { GraphBuilder, Value } from './trace/graph.js';

/** Shape and dtype of one input or output of an op. */
export interface TensorSpec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** An input of an op on the host, row-major. */
export interface HostTensor extends TensorSpec {
  readonly data: TypedArray;
}

type Attributes = Record<string, unknown>;

/**
 * An op of our own: how its output shapes follow from its inputs, how it runs eagerly, which nodes it becomes in a
 * traced graph, and its gradient. Use it where TensorFlow.js has no op, no gradient, or only a slow chain of ops.
 */
export interface OpDefinition<A extends object> {
  readonly name: string;
  /** Output shapes and dtypes. Throw an InputError for inputs that do not fit. */
  infer(inputs: readonly TensorSpec[], attributes: A): TensorSpec[];
  /** Eager form as TensorFlow.js ops. Give this or `compute`. */
  compose?(inputs: readonly tf.Tensor[], attributes: A): tf.Tensor[];
  /** Eager form on host data. */
  compute?(inputs: readonly HostTensor[], attributes: A): TypedArray[];
  /** Nodes of the traced graph; must give values of the shapes that `infer` names. */
  trace(graph: GraphBuilder, inputs: readonly Value[], attributes: A): Value[];
  /**
   * Gradients to every input (`undefined` for an input that has none), from the gradients of the outputs.
   * Without it, differentiating through the op throws.
   */
  gradient?(context: GradientContext<A>): (tf.Tensor | undefined)[];
}

export interface GradientContext<A> {
  /** One gradient per output; zeros for outputs that nobody used. */
  readonly outputGradients: readonly tf.Tensor[];
  readonly inputs: readonly tf.Tensor[];
  readonly outputs: readonly tf.Tensor[];
  readonly attributes: A;
}

/** Name of the TensorFlow.js backend that records graphs. */
export const TRACE_BACKEND = 'palimpsest-trace';
const EAGER_BACKENDS = ['cpu', 'wasm', 'tensorflow'] as const;

/** How the trace backend turns a kernel call into graph values; filled by `trace/backend.ts`. */
export type TraceKernel = (
  graph: GraphBuilder,
  inputs: Record<string, Value>,
  attributes: Attributes,
) => Value[];
export const traceKernels = new Map<string, TraceKernel>();

/**
 * Registers an op on every engine and returns the function that calls it.
 * @returns a function of `(inputs, attributes)` giving the list of output tensors.
 */
export function defineOp<A extends object>(
  definition: OpDefinition<A>,
): (inputs: readonly tf.Tensor[], attributes: A) => tf.Tensor[] {
  const kernelName = `Palimpsest.${definition.name}`;
  registerEagerKernels(kernelName, definition);
  traceKernels.set(kernelName, (graph, inputs, attributes) =>
    definition.trace(graph, Object.values(inputs), attributes as A),
  );
  registerOpGradient(kernelName, definition);
  return (inputs, attributes) => {
    definition.infer(inputs as readonly TensorSpec[], attributes);
    const result: unknown = tf.engine().runKernel(kernelName, inputs as never, attributes as never);
    return Array.isArray(result) ? result : [result as tf.Tensor];
  };
}

function registerEagerKernels<A extends object>(kernelName: string, definition: OpDefinition<A>): void {
  for (const backendName of EAGER_BACKENDS) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => {
        const tensors = Object.values(inputs) as tf.Tensor[];
        return tf.tidy(() => runEagerly(definition, tensors, attrs as unknown as A));
      },
    });
  }
}

function runEagerly<A extends object>(
  definition: OpDefinition<A>,
  tensors: tf.Tensor[],
  attributes: A,
): tf.Tensor[] {
  if (definition.compose) return definition.compose(tensors, attributes);
  if (!definition.compute) {
    throw new InputError(`The op '${definition.name}' has no eager form; give it 'compose' or 'compute'.`);
  }
  const specs = definition.infer(tensors as unknown as TensorSpec[], attributes);
  const host = tensors.map((tensor) => ({
    shape: tensor.shape,
    dtype: tensor.dtype as DType,
    data: tensor.dataSync() as TypedArray,
  }));
  const results = definition.compute(host, attributes);
  return specs.map((spec, index) => tf.tensor(results[index]!, [...spec.shape], spec.dtype));
}

function registerOpGradient<A extends object>(kernelName: string, definition: OpDefinition<A>): void {
  const { gradient } = definition;
  if (!gradient) {
    tf.registerGradient({
      kernelName,
      gradFunc: () => {
        throw new InputError(`The op '${definition.name}' has no gradient; stop the gradient before it.`);
      },
    });
    return;
  }
  tf.registerGradient({
    kernelName,
    saveAllInputs: true,
    outputsToSave: new Array<boolean>(MAX_OUTPUTS).fill(true),
    gradFunc: (dy, saved, attrs) => {
      const outputGradients = Array.isArray(dy) ? dy : [dy];
      const inputCount = saved.length - outputGradients.length;
      const inputs = saved.slice(0, inputCount);
      const outputs = saved.slice(inputCount);
      // Computed here and not on request: TensorFlow.js disposes what one request makes beside its own result.
      const results = gradient({ outputGradients, inputs, outputs, attributes: attrs as unknown as A });
      const resultOf = (index: number) => {
        const result = results[index];
        // An alias, because TensorFlow.js disposes gradients that it adds up, and an op may give one tensor twice.
        return result ? stopGradient(result) : tf.zerosLike(inputs[index]!);
      };
      return Object.fromEntries(inputs.map((_, index) => [index, () => resultOf(index)]));
    },
  });
}

const MAX_OUTPUTS = 16;
