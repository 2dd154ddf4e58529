import { InputError } from './errors.js';
import {
  bfloatsToFloats,
  eightBitsToFloats,
  floatToBfloat,
  floatToHalf,
  halvesToFloats,
} from './float-formats.js';
import { type NDArray, ndarray } from './ndarray.js';
import type { SafeTensor } from './safetensors.js';

/**
 * A tensor of a file as an array to compute with: floating formats become float32, BOOL bool, integers int32.
 * F32, I32 and BOOL share the memory of the tensor.
 * @param name for messages
 * @throws InputError for a whole number that does not fit into 32 bits.
 */
export function toNDArray(tensor: SafeTensor, name = 'tensor'): NDArray {
  const { dtype, shape, data } = tensor;
  switch (dtype) {
    case 'F32':
      return ndarray(data as Float32Array, shape);
    case 'F64':
      return ndarray(Float32Array.from(data as Float64Array), shape);
    case 'F16':
      return ndarray(halvesToFloats(data as Uint16Array), shape);
    case 'BF16':
      return ndarray(bfloatsToFloats(data as Uint16Array), shape);
    case 'F8_E4M3':
    case 'F8_E5M2':
      return ndarray(eightBitsToFloats(dtype, data as Uint8Array), shape);
    case 'BOOL':
      return ndarray(data as Uint8Array, shape, 'bool');
    case 'I32':
      return ndarray(data as Int32Array, shape, 'int32');
    default:
      return ndarray(narrow(data, name), shape, 'int32');
  }
}

function narrow(data: ArrayLike<number | bigint>, name: string): Int32Array {
  const values = new Int32Array(data.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(data[i]!);
    if (value !== (value | 0))
      throw new InputError(`'${name}' holds ${value}, which does not fit into 32 bits.`);
    values[i] = value;
  }
  return values;
}

/**
 * An array as a tensor of a file, sharing its memory unless it is converted.
 * @param storage stores float32 in 16 bits, rounded to nearest, ties to even. Default: as it is.
 */
export function fromNDArray(array: NDArray, storage?: 'F16' | 'BF16'): SafeTensor {
  const { data, shape, dtype } = array;
  if (dtype === 'int32') return { dtype: 'I32', shape, data: data as Int32Array };
  if (dtype === 'bool') return { dtype: 'BOOL', shape, data: data as Uint8Array };
  if (!storage) return { dtype: 'F32', shape, data: data as Float32Array };
  const convert = storage === 'F16' ? floatToHalf : floatToBfloat;
  const bits = new Uint16Array(data.length);
  for (let i = 0; i < bits.length; i++) bits[i] = convert(data[i]!);
  return { dtype: storage, shape, data: bits };
}
