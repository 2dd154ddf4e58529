import { nodeModule, writeFileAtomically } from '@palimpsest/base';
import { type QuantisedBits, QuantisedMatrix, StoredArray } from '@palimpsest/tensor-core';
import { z } from 'zod';
import type { FrozenMatrices } from '../frozen-transformer.js';
import { TensorReader } from './convert-tensor.js';
import type { WeightPlan } from './load-weights.js';
import { namedTensors } from './parameters-id.js';
import type { WeightFormat } from './store-weights.js';
import type { WeightSource } from './weight-files.js';
import type { WeightStore } from './weight-store.js';

const disk = () => nodeModule('node:fs').promises;

/** Raised when weights are rounded otherwise than before. */
const VERSION = 1;
/** Bytes that rounded weights take together before the ones that were not used for the longest time go. */
const MOST_BYTES = 8 * 2 ** 30;
/** Bytes that are read at once to sum them up. */
const PIECE = 2 ** 22;

const PREFIX = 'palimpsest-rounded-';
const ENDS = { note: '.json', data: '.data' } as const;

const offset = z.int().min(0);
const size = z.int().min(1);
const noteSchema = z.object({
  version: z.literal(VERSION),
  beginnings: z.string(),
  parametersId: z.string(),
  bytes: z.int().min(1),
  checksum: z.int(),
  matrices: z.record(z.string(), z.object({ outputs: size, inputs: size, packed: offset, scales: offset })),
});
type Note = z.infer<typeof noteSchema>;

/** What was rounded once, and the name of its parameters. */
export interface RoundedWeights {
  readonly matrices: FrozenMatrices;
  readonly parametersId: string;
}

/**
 * Matrices of 8 or 4 bits that an earlier start has rounded, kept in `PALIMPSEST_CACHE` for later ones. They are told apart by
 * paths, sizes and times of the files they come from and by the beginnings of all pieces of their tensors, and summed up before
 * they are used; what does not agree is rounded anew. All of them together take 8 GiB at most.
 */
export class KeptWeights {
  private constructor(
    private readonly path: string,
    private readonly bits: QuantisedBits,
    private readonly beginnings: string,
  ) {}

  /** Nothing when no folder is named to keep them in, or when weights of this format are not rounded. */
  static async of(
    files: WeightSource,
    plan: WeightPlan,
    format: WeightFormat,
    signal?: AbortSignal,
  ): Promise<KeptWeights | undefined> {
    const root = process.env.PALIMPSEST_CACHE;
    if (!root || (format !== '8bit' && format !== '4bit')) return undefined;
    const { createHash } = nodeModule('node:crypto');
    const hash = createHash('sha256').update(`${VERSION} ${format}`);
    for (const path of files.paths) {
      const { size: bytes, mtimeMs } = await disk().stat(path);
      hash.update(`\n${await disk().realpath(path)}\n${bytes} ${mtimeMs}`);
    }
    const named = await namedTensors(files, format, signal);
    const reader = new TensorReader();
    for (const { key } of plan.entries) await reader.readBeginnings(named.tensors.get(key)!, key);
    const path = nodeModule('node:path').join(root, `${PREFIX}${hash.digest('hex').slice(0, 32)}`);
    return new KeptWeights(path, format === '8bit' ? 8 : 4, named.parametersId());
  }

  /** The weights, in the folder of a store, when they are there, whole, and those of the files. */
  async take(store: WeightStore): Promise<RoundedWeights | undefined> {
    const { path, bits } = this;
    try {
      const note = noteSchema.parse(JSON.parse(await disk().readFile(path + ENDS.note, 'utf8')));
      if (note.beginnings !== this.beginnings) return undefined;
      const file = await store.adopt(path + ENDS.data);
      const found = await summed(file, note.matrices);
      if (found.bytes !== note.bytes || found.checksum !== note.checksum) return undefined;
      const now = new Date();
      await disk().utimes(path + ENDS.note, now, now);
      return { matrices: matricesOf(note, file, bits), parametersId: note.parametersId };
    } catch {
      // Whatever is wrong with them, they can be made anew.
      return undefined;
    }
  }

  /** Keeps what a store holds. A start goes on where that cannot be, such as on a full disk. */
  async keep(store: WeightStore, { matrices, parametersId }: RoundedWeights): Promise<void> {
    const { path, beginnings } = this;
    const places: Record<string, Note['matrices'][string]> = {};
    for (const [name, matrix] of matrices) {
      if (!(matrix instanceof QuantisedMatrix) || !matrix.stored) continue;
      const { outputs, inputs, stored } = matrix;
      places[name] = { outputs, inputs, packed: stored.packed.offset, scales: stored.scales.offset };
    }
    try {
      await disk().rm(path + ENDS.note, { force: true });
      await disk().rm(path + ENDS.data, { force: true });
      await disk().link(store.path, path + ENDS.data);
      const note: Note = {
        version: VERSION,
        beginnings,
        parametersId,
        ...(await summed(store.path, places)),
        matrices: places,
      };
      await writeFileAtomically(path + ENDS.note, JSON.stringify(note));
      await this.#shrink();
    } catch {
      await disk()
        .rm(path + ENDS.data, { force: true })
        .catch(() => undefined);
    }
  }

  /** Removes others until the rest keeps to the bound; who uses one has a link of their own. */
  async #shrink(): Promise<void> {
    const { dirname, join } = nodeModule('node:path');
    const root = dirname(this.path);
    const names = (await disk().readdir(root)).filter((name) => name.startsWith(PREFIX));
    const kept = await Promise.all(
      names
        .filter((name) => name.endsWith(ENDS.data))
        .map(async (name) => {
          const base = join(root, name.slice(0, -ENDS.data.length));
          const { size: bytes } = await disk().stat(base + ENDS.data);
          const used = await disk()
            .stat(base + ENDS.note)
            .catch(() => undefined);
          return { base, bytes, used: used?.mtimeMs ?? 0 };
        }),
    );
    let sum = 0;
    for (const { base, bytes } of kept.toSorted((a, b) => b.used - a.used)) {
      sum += bytes;
      if (sum <= MOST_BYTES || base === this.path) continue;
      for (const end of Object.values(ENDS)) await disk().rm(base + end, { force: true });
    }
  }
}

function matricesOf({ matrices }: Note, file: string, bits: QuantisedBits): FrozenMatrices {
  return new Map(
    Object.entries(matrices).map(([path, { outputs, inputs, packed, scales }]) => {
      const { blocks, blockBytes } = new QuantisedMatrix(1, inputs, bits);
      const stored = {
        packed: new StoredArray(file, packed, [outputs, blocks, blockBytes], 'uint8'),
        scales: new StoredArray(file, scales, [outputs, blocks], 'float32'),
      };
      return [path, new QuantisedMatrix(outputs, inputs, bits, stored)];
    }),
  );
}

/** Size of a file, and the CRC-32 of it and of what is said of the matrices in it. */
async function summed(path: string, places: Note['matrices']): Promise<Pick<Note, 'bytes' | 'checksum'>> {
  const { crc32 } = nodeModule('node:zlib');
  const handle = await disk().open(path, 'r');
  const buffer = new Uint8Array(PIECE);
  let [bytes, checksum] = [0, crc32(JSON.stringify(places))];
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, PIECE, bytes);
      if (bytesRead === 0) return { bytes, checksum };
      checksum = crc32(buffer.subarray(0, bytesRead), checksum);
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
