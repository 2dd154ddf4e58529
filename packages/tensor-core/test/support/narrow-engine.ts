import { graphLimits } from '../../src/engines/graph-limits.js';
import { OnnxEngine } from '../../src/engines/onnx.js';
import { loadNodeRuntime } from '../../src/engines/onnx-runtime.js';
import type { Engine } from '../../src/index.js';

/** An engine that runs the graphs made for WebGPU on the processor. */
export async function narrowEngine(): Promise<Engine> {
  const runtime = await loadNodeRuntime({});
  const description = {
    name: 'onnx',
    runtime: 'graphs of 32 bits',
    device: runtime.device,
    threads: runtime.threads,
    reason: 'a test',
    unavailable: [],
  } as const;
  return new OnnxEngine('onnx', { ...runtime, bits: 32 }, description, graphLimits({}));
}
