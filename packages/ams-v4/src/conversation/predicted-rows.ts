import { type NDArray, ndarray } from '@palimpsest/tensor-core';
import type { PlainRowCodec, RowCodec } from './row-codec.js';
import type { RowPrediction } from './row-prediction.js';

/** Keeps of keys and values what differs from what the tokens tell. */
export function predictedCodec(rows: PlainRowCodec, prediction: RowPrediction): RowCodec {
  return {
    name: `predicted ${rows.name}`,
    bytesPerRow: rows.bytesPerRow,
    encode: (given, tokens) => rows.encode(differences(given, prediction.rowsOf(tokens))),
    decode: (bytes, tokens) => {
      const { data, shape } = rows.decode(bytes);
      const predicted = prediction.rowsOf(tokens);
      for (let i = 0; i < data.length; i++) predicted[i]! += data[i]!;
      return ndarray(predicted, shape);
    },
  };
}

/** Rows without what is predicted of them. */
export function differences({ data, shape }: NDArray, predicted: Float32Array): NDArray<'float32'> {
  return ndarray(
    predicted.map((value, i) => data[i]! - value),
    shape,
  );
}
