import { nodeModule } from '@palimpsest/base';
import { InputError } from '@palimpsest/tensor-core';
import { z } from 'zod';
import { binDocuments, countChunk, type TokensSummary } from '../data/binning.js';
import { byteTokenizer, encodeWithSpecials, tokenizerWithSpecials } from '../data/special-tokens.js';
import { jsonFiles, readJson } from './json-files.js';

const fileSystem = () => nodeModule('node:fs');
const paths = () => nodeModule('node:path');

/** Settings of the preprocessing. */
export const preprocessSchema = z.strictObject({
  input: z.string().optional().describe('folder of JSON files, each a list of texts'),
  output: z.string().optional().describe('folder to write; it must not exist'),
  tokenizerPath: z.string().optional().describe('tokenizer.json with the special tokens; default: bytes'),
  prependStr: z.string().default('<|im_start|>').describe('in front of every document'),
  appendStr: z.string().default('<|im_end|>').describe('behind every document'),
  cutoffs: z.array(z.int().min(1)).default([2049, 4097]).describe('upper ends of the bins by length'),
  numPad: z.int().min(0).default(2).describe('pad ids that a sample will have'),
  chunkSize: z.int().min(1).default(1000).describe('documents of a chunk file'),
});

export type PreprocessSettings = z.output<typeof preprocessSchema>;

/**
 * Encodes documents and writes them in bins by length: `{bin}/{number}.json` with lists of ids, `tokens_summary.json`,
 * `tokenizer.json`. The folder appears as a whole, at the end.
 * @throws InputError for folders that are missing or in the way, and for files that hold no texts.
 */
export function preprocess(settings: PreprocessSettings): TokensSummary {
  const { input, output, tokenizerPath, prependStr, appendStr } = settings;
  if (!input || !output) throw new InputError('Preprocessing needs an input and an output folder.');
  if (fileSystem().existsSync(output))
    throw new InputError(`'${output}' exists; remove it or choose another output folder.`);
  const tokenizer = tokenizerPath
    ? tokenizerWithSpecials(readJson(tokenizerPath, z.unknown()))
    : byteTokenizer();
  const texts = z.array(z.string());
  const files = jsonFiles(input);
  function* documents() {
    for (const file of files) {
      for (const text of readJson(file, texts))
        yield encodeWithSpecials(tokenizer, prependStr + text + appendStr);
    }
  }
  const folder = `${output}.part`;
  fileSystem().rmSync(folder, { recursive: true, force: true });
  fileSystem().mkdirSync(folder, { recursive: true });
  const summary: TokensSummary = {};
  for (const chunk of binDocuments(documents(), settings)) {
    const path = paths().join(folder, chunk.bin, chunk.file);
    fileSystem().mkdirSync(paths().dirname(path), { recursive: true });
    fileSystem().writeFileSync(path, JSON.stringify(chunk.documents));
    countChunk(summary, chunk);
  }
  fileSystem().writeFileSync(
    paths().join(folder, 'tokens_summary.json'),
    `${JSON.stringify(summary, null, 2)}\n`,
  );
  fileSystem().writeFileSync(paths().join(folder, 'tokenizer.json'), JSON.stringify(tokenizer.toJSON()));
  fileSystem().renameSync(folder, output);
  return summary;
}
