import { expect, test } from 'vitest';
import { trace } from '../../src/trace/backend.js';
import { everyNode, GraphBuilder, isConstant } from '../../src/trace/graph.js';
import { elementwiseCases } from './elementwise-cases.js';
import { reductionCaseList } from './reduction-cases.js';
import { shapeCases } from './shape-cases.js';

const cases = [...elementwiseCases, ...reductionCaseList, ...shapeCases];

test.each(cases.map((kernelCase) => [kernelCase.name, kernelCase] as const))(
  '%s needs no 64-bit numbers',
  (_name, { kernel, inputs, run }) => {
    const graph = new GraphBuilder('narrow', 32);
    const values = trace(graph, (tensorOf, graphValueOf) => {
      const tensors = inputs.map(({ shape, dtype }) => tensorOf(graph.input(shape, dtype)));
      return [run(tensors)].flat().map(graphValueOf);
    });
    // What is made of constants alone, such as axes, is computed when the graph is opened.
    const computed = everyNode(values).filter(({ inputs: read }) =>
      read.some((value) => value && !isConstant(value)),
    );
    const wide = computed.filter(({ outputs }) =>
      outputs.some(({ dtype }) => dtype === 'float64' || dtype === 'int64'),
    );
    // The node gives its places as nothing else.
    expect(wide.map(({ op }) => op)).toEqual(kernel === 'TopK' ? ['TopK'] : []);
  },
);
