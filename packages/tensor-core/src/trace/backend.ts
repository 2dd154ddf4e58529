import { TraceError } from '@palimpsest/base';
import { TRACE_BACKEND, type TraceKernel, traceKernels } from '../op.js';
import { tf } from '../tf.js';
import { type GraphBuilder, isConstant, type Value } from './graph.js';
import { elementwiseKernels } from './kernels/elementwise.js';
import { matmulKernels } from './kernels/matmul.js';
import { reductionKernels } from './kernels/reduction.js';
import { scatterKernels } from './kernels/scatter.js';
import { shapeKernels } from './kernels/shape.js';

/** A TensorFlow.js backend whose kernels compute shapes and record nodes instead of numbers. */
class TraceBackend extends tf.KernelBackend {
  graph: GraphBuilder | undefined;
  #values = new WeakMap<object, Value>();
  #held = 0;

  current(): GraphBuilder {
    if (!this.graph) throw new TraceError('No function is being traced.');
    return this.graph;
  }

  /** The graph value behind a tensor's data. */
  graphValue(dataId: object): Value {
    const value = this.#values.get(dataId);
    if (!value) throw new TraceError('A tensor of another engine was used inside a traced function.');
    return value;
  }

  /** TensorFlow.js' description of a tensor that stands for a graph value. */
  infoOf(value: Value): tf.TensorInfo {
    const dataId = {};
    this.#values.set(dataId, value);
    this.#held += 1;
    return { dataId, shape: [...value.shape], dtype: value.dtype as tf.DataType };
  }

  override write(values: tf.BackendValues | null, shape: number[], dtype: tf.DataType): object {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const data = typedConstant(values, size, dtype);
    return this.infoOf(this.current().constant(data, shape, dtype as Value['dtype'])).dataId;
  }

  override move(dataId: object, values: tf.BackendValues, shape: number[], dtype: tf.DataType): void {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const value = this.current().constant(typedConstant(values, size, dtype), shape, dtype as Value['dtype']);
    this.#values.set(dataId, value);
  }

  override readSync(dataId: object): tf.BackendValues {
    const value = this.graphValue(dataId);
    if (!isConstant(value)) {
      throw new TraceError(
        `The values of a tensor were read while '${this.current().name}' was traced; a compiled function may not look at values, so use tensor ops such as tf.where, or return the tensor and read it outside.`,
      );
    }
    if (value.data) return value.data as Float32Array;
    return new Float32Array(value.shape.reduce((product, extent) => product * extent, 1)).fill(value.fill!);
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override numDataIds(): number {
    return this.#held;
  }

  override disposeData(): boolean {
    return true;
  }

  override refCount(): number {
    return 1;
  }

  override incRef(): void {}

  decRef(): void {}

  override timerAvailable(): boolean {
    return false;
  }

  override floatPrecision(): 16 | 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}

function typedConstant(values: tf.BackendValues | null, size: number, dtype: tf.DataType) {
  if (dtype === 'float32') return Float32Array.from((values ?? new Float32Array(size)) as Float32Array);
  if (dtype === 'int32') return Int32Array.from((values ?? new Int32Array(size)) as Int32Array);
  if (dtype === 'bool') return Uint8Array.from((values ?? new Uint8Array(size)) as Uint8Array);
  throw new TraceError(`Tensors of dtype '${dtype}' cannot be traced; use float32, int32 or bool.`);
}

const backend = new TraceBackend();
let registered = false;

const tables: Record<string, TraceKernel> = {
  ...elementwiseKernels,
  ...reductionKernels,
  ...scatterKernels,
  ...matmulKernels,
  ...shapeKernels,
};

/** Names of the TensorFlow.js kernels that can be traced. */
export const tracedKernels: readonly string[] = Object.keys(tables).sort();

function register(): void {
  if (registered) return;
  registered = true;
  tf.registerBackend(TRACE_BACKEND, () => backend, 0);
  for (const [kernelName, kernel] of Object.entries(tables)) traceKernels.set(kernelName, kernel);
}

/** Kernels are registered when they are first needed, because ops may be defined after this module has loaded. */
function registerKernels(): void {
  for (const [kernelName, kernel] of traceKernels) {
    if (tf.getKernel(kernelName, TRACE_BACKEND)) continue;
    tf.registerKernel({
      kernelName,
      backendName: TRACE_BACKEND,
      kernelFunc: ({ inputs, attrs }) => {
        const graph = backend.current();
        const named: Record<string, Value> = {};
        for (const [key, info] of Object.entries(inputs)) {
          if (info) named[key] = backend.graphValue((info as tf.TensorInfo).dataId);
        }
        const outputs = kernel(graph, named, (attrs ?? {}) as Record<string, unknown>);
        const infos = outputs.map((value) => backend.infoOf(value));
        return givesList(kernelName) ? infos : infos[0]!;
      },
    });
  }
}

/** TensorFlow.js passes on a list exactly when the kernel gives one, even of one tensor. */
function givesList(kernelName: string): boolean {
  return ['SplitV', 'Unpack', 'TopK'].includes(kernelName) || kernelName.startsWith('Palimpsest.');
}

/**
 * Runs a function on the trace backend.
 * @param body receives a function that turns graph values into the tensors to compute with, and gives back a tree of
 *   tensors; `graphValueOf` reads the graph values behind them.
 * @throws TraceError when the function uses an op outside the table or reads a value.
 */
export function trace<T>(
  graph: GraphBuilder,
  body: (tensorOf: (value: Value) => tf.Tensor, graphValueOf: (tensor: tf.Tensor) => Value) => T,
): T {
  register();
  registerKernels();
  const engine = tf.engine();
  const former = engine.backendName;
  const formerGraph = backend.graph;
  void engine.setBackend(TRACE_BACKEND);
  backend.graph = graph;
  try {
    let result: T | undefined;
    tf.tidy(() => {
      result = body(tensorOf, (tensor) => backend.graphValue(tensor.dataId));
    });
    return result as T;
  } catch (error) {
    throw explained(error, graph.name);
  } finally {
    backend.graph = formerGraph;
    if (former) void engine.setBackend(former);
  }
}

/**
 * Adds a conditional to the graph that is being traced.
 * @returns tensors of the taken branch, in the order of the lists.
 */
export function traceConditional(
  predicate: tf.Tensor,
  ifTrue: readonly tf.Tensor[],
  ifFalse: readonly tf.Tensor[],
): tf.Tensor[] {
  const values = (tensors: readonly tf.Tensor[]) => tensors.map(({ dataId }) => backend.graphValue(dataId));
  const graph = backend.current();
  return graph
    .conditional(backend.graphValue(predicate.dataId), values(ifTrue), values(ifFalse))
    .map(tensorOf);
}

/** What a loop goes over, as tensors. */
export interface ScanTensors {
  readonly carried: readonly tf.Tensor[];
  readonly scanned: readonly tf.Tensor[];
  readonly reverse: boolean;
}

/** What one turn of a loop gives, as tensors. */
export interface TensorTurn {
  readonly carried: readonly tf.Tensor[];
  readonly stacked: readonly tf.Tensor[];
}

/** Adds a loop to the graph that is being traced. */
export function traceScan(
  operands: ScanTensors,
  body: (carried: tf.Tensor[], entries: tf.Tensor[]) => TensorTurn,
): TensorTurn {
  const values = (tensors: readonly tf.Tensor[]) => tensors.map(({ dataId }) => backend.graphValue(dataId));
  const result = backend
    .current()
    .scan(
      { carried: values(operands.carried), scanned: values(operands.scanned), reverse: operands.reverse },
      (carried, entries) => {
        const turn = body(carried.map(tensorOf), entries.map(tensorOf));
        return { carried: values(turn.carried), stacked: values(turn.stacked) };
      },
    );
  return { carried: result.carried.map(tensorOf), stacked: result.stacked.map(tensorOf) };
}

function tensorOf(value: Value): tf.Tensor {
  const { dataId, shape, dtype } = backend.infoOf(value);
  return tf.engine().makeTensorFromDataId(dataId, shape, dtype, backend);
}

const HINTS: Record<string, string> = {
  FFT: 'use the DFT op of a package that defines one, or a matrix product with the DFT matrix',
  Einsum: 'write it as tf.transpose, tf.reshape and tf.matMul',
  Cumprod: 'use exp of a cumulative sum of logarithms',
  Multinomial: 'sample on the host with Rng',
  Conv2D: 'write it as shifted slices and tf.matMul',
};

function explained(error: unknown, functionName: string): unknown {
  const missing =
    error instanceof Error ? /Kernel '(\w+)' not registered for backend '(.*)'/.exec(error.message) : null;
  if (!missing || missing[2] !== TRACE_BACKEND) return error;
  const hint = HINTS[missing[1]!] ?? 'write it with ops of the table, or define it with defineOp';
  return new TraceError(
    `The op '${missing[1]}' in '${functionName}' cannot become part of a graph; ${hint}.`,
  );
}
