import {
  cachedRows,
  loadPretrained,
  stateFromRows,
  type TransformerParameters,
  type TransformerState,
} from '@palimpsest/backbone';
import { nodeModule } from '@palimpsest/base';
import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { InputError, type NDArray, ndarray, type tf } from '@palimpsest/tensor-core';
import { joinRows, rowsAt } from '../key-values/token-rows.js';
import { runCase } from './case-parts.js';

/** The checkpoint of the case: beside it, or with the cases of the backbone. */
async function folderOf(testCase: Parameters<GoldenHandler['run']>[0]): Promise<string> {
  const { existsSync } = nodeModule('node:fs');
  const { join } = nodeModule('node:path');
  const name = testCase.member('folder', '');
  const places = [join(testCase.folder, name), join(testCase.folder, '..', 'backbone', name)];
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new InputError(`The case '${testCase.name}' needs the checkpoint '${name}' beside it.`);
}

/** Keys and values of chunks, packed again at the front of a prompt: whole, some tokens, and one chunk alone. */
export const keyValueCase: GoldenHandler = {
  system: 'ams-v4',
  kind: 'v47-kv-prefix',
  run: async (testCase, context) => {
    const { model, params } = await loadPretrained(await folderOf(testCase));
    const idsOf = (name: string) => [...testCase.integers(`in/${name}`)];
    const tokensOf = (ids: readonly number[]) => ndarray(Int32Array.from(ids), [1, ids.length], 'int32');
    const read = async (ids: readonly number[]) => {
      const { state } = await runCase(
        context,
        (weights: TransformerParameters, tokens: tf.Tensor) =>
          model.run(weights, { tokens }, model.initState(weights, 1), { logits: 'none' }),
        params,
        tokensOf(ids),
      );
      return cachedRows(model.options, state as TransformerState<NDArray>, 0, [...ids.keys()]);
    };
    const prompt = idsOf('prompt');
    const logitsBehind = async (rows: NDArray) => {
      const { logits } = await runCase(
        context,
        (weights: TransformerParameters, tokens: tf.Tensor, state: TransformerState) =>
          model.run(weights, { tokens }, state),
        params,
        tokensOf(prompt),
        stateFromRows(model.options, rows),
      );
      return logits!.data;
    };
    const [first, second] = [await read(idsOf('chunk0')), await read(idsOf('chunk1'))];
    const some = joinRows([rowsAt(first, idsOf('select0')), rowsAt(second, idsOf('select1'))]);
    return {
      'out/logits.all': await logitsBehind(joinRows([first, second])),
      'out/logits.some': await logitsBehind(some),
      'out/logits.singleChunk': await logitsBehind(first),
      ...layerOutputs(first, model.options),
    };
  },
};

/** Keys and values of each layer, `[heads, tokens, headWidth]`. */
function layerOutputs(
  { data, shape }: NDArray,
  { layers, keyValueHeads, headWidth }: { layers: number; keyValueHeads: number; headWidth: number },
): GoldenOutputs {
  const [tokens, width] = shape as [number, number];
  const part = (layer: number, kind: number) =>
    Array.from({ length: keyValueHeads }, (_, head) =>
      Array.from({ length: tokens }, (_, token) => {
        const from = token * width + ((layer * 2 + kind) * keyValueHeads + head) * headWidth;
        return [...data.slice(from, from + headWidth)];
      }),
    ).flat(2);
  const named = Array.from({ length: layers }, (_, layer) => [
    [`out/rawKey0.layer${layer}`, part(layer, 0)],
    [`out/value0.layer${layer}`, part(layer, 1)],
  ]);
  return Object.fromEntries(named.flat());
}
