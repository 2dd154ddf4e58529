import { type DecodingExports, sharedWasmKernels } from '@palimpsest/base';
import { kernelsModule } from '../kernels-wasm.js';

/** What the compiled kernels take: addresses in bytes, counts in numbers. */
export interface KernelExports extends Pick<DecodingExports, 'addRootNormalised' | 'swiGlu' | 'turn'> {
  begin(scratch: number): void;
  end(): void;
  probe(x: number, weight: number): number;
  arrange(
    to: number,
    packed: number,
    scales: number,
    groups: number,
    blocks: number,
    bits: number,
    flipped: number,
  ): void;
  roundRows(to: number, x: number, count: number, bits: number, offset: number): void;
  roundRowsFine(to: number, x: number, count: number, offset: number): void;
  multiply(
    y: number,
    w: number,
    x: number,
    bias: number,
    groups: number,
    blocks: number,
    bits: number,
    tokens: number,
    isFine: boolean,
    parts: number,
  ): void;
  attendAll(
    y: number,
    rows: number,
    keys: number,
    values: number,
    headStride: number,
    scores: number,
    scoresStride: number,
    slots: number,
    counts: number,
    tokens: number,
    heads: number,
    keyValueHeads: number,
    width: number,
    scale: number,
    isShared: boolean,
  ): void;
}

/** A new instance with its own memory; absent where an instruction is missing. */
export const instantiate = sharedWasmKernels<KernelExports>(kernelsModule);

/** How the processor's product of four bytes takes weights above 127: as they are, or as signed ones. */
interface ByteForm {
  /** What weights are stored with. */
  readonly offset: number;
  /** Xored with every four bytes of the runtime's layout. */
  readonly flipped: number;
}

/** What the processor's product of four bytes is good for: weights of 4 bits, and of 8 where it is not cut off at 16 bits. */
export const products = findProducts();
export const byteForm = products?.ofBytes;

function findProducts(): { readonly ofBytes: ByteForm | undefined } | undefined {
  const { probe } = instantiate?.().exports ?? {};
  // The early form that Node.js 20 has behind a flag may count every product twice.
  if (probe?.(127, 15) !== 4 * 127 * 15) return undefined;
  const product = probe(127, 255);
  if (product === 4 * 127 * 255) return { ofBytes: { offset: 128, flipped: 0 } };
  return { ofBytes: product === -4 * 127 ? { offset: 0, flipped: 0x8080_8080 | 0 } : undefined };
}
