import { HuggingFaceTokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { requireJsonFile } from '../pretrained/json-file.js';
import { folderOf } from './backbone-handler.js';
import type { ParityHandler } from './contract.js';
import { GoldenCase } from './golden-case.js';

interface TextCase {
  readonly text: string;
  readonly ids: readonly number[];
  readonly idsNoSpecial: readonly number[];
  readonly decoded: string | null;
  readonly decodedKeepSpecial: string | null;
}

/** Texts to ids and back, for every family of tokenizers. */
export const tokenizersHandler: ParityHandler = {
  system: 'backbone',
  kind: 'tokenizers',
  run: async (testCase) => {
    const golden = new GoldenCase(testCase);
    const folders = testCase.json.folders as Record<string, string>;
    const cases = testCase.json.cases as Record<string, readonly TextCase[]>;
    const { join } = await import('node:path');
    for (const [family, texts] of Object.entries(cases)) {
      if (!folders[family]) {
        throw new InputError(`The case '${testCase.name}' names no folder for the family '${family}'.`);
      }
      const path = join(await folderOf(testCase, folders[family]), 'tokenizer.json');
      const tokenizer = new HuggingFaceTokenizer(await requireJsonFile(path, 'holds the vocabulary'));
      texts.forEach((entry, index) => {
        compareText(golden, tokenizer, entry, `${family}/${index}`);
      });
    }
    return golden.finish();
  },
};

function compareText(
  golden: GoldenCase,
  tokenizer: HuggingFaceTokenizer,
  entry: TextCase,
  name: string,
): void {
  golden.equal(`${name}/ids`, tokenizer.encode(entry.text, { addSpecialTokens: true }), entry.ids);
  golden.equal(`${name}/idsNoSpecial`, tokenizer.encode(entry.text), entry.idsNoSpecial);
  if (typeof entry.decoded === 'string') {
    golden.equal(`${name}/decoded`, tokenizer.decode(entry.ids), entry.decoded);
  }
  if (typeof entry.decodedKeepSpecial === 'string') {
    const kept = tokenizer.decode(entry.ids, { skipSpecialTokens: false });
    golden.equal(`${name}/decodedKeepSpecial`, kept, entry.decodedKeepSpecial);
  }
}
