import { nodeModule } from '@palimpsest/base';
import type { GoldenHandler, GoldenOutputs } from '@palimpsest/base/golden';
import { HuggingFaceTokenizer } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';
import { requireJsonFile } from '../pretrained/json-file.js';
import { folderOf } from './backbone-handler.js';

interface TextCase {
  readonly text: string;
  /** The ids that `decoded` and `decodedKeepSpecial` are the texts of, and that encoding gives. */
  readonly ids: readonly number[];
}

/** Texts to ids and back, for every family of tokenizers. */
export const tokenizersHandler: GoldenHandler = {
  system: 'backbone',
  kind: 'tokenizers',
  expects: ['ids', 'idsNoSpecial', 'decoded', 'decodedKeepSpecial'].map((member) => `cases/*/*/${member}`),
  given: ['cases/*/*/ids'],
  run: async (testCase) => {
    const folders = testCase.member('folders', {} as Record<string, string>);
    const cases = testCase.member('cases', {} as Record<string, readonly TextCase[]>);
    const outputs: Record<string, GoldenOutputs[string]> = {};
    const { join } = nodeModule('node:path');
    for (const [family, texts] of Object.entries(cases)) {
      if (!folders[family]) {
        throw new InputError(`The case '${testCase.name}' names no folder for the family '${family}'.`);
      }
      const path = join(await folderOf(testCase, folders[family]), 'tokenizer.json');
      const tokenizer = new HuggingFaceTokenizer(await requireJsonFile(path, 'holds the vocabulary'));
      texts.forEach(({ text, ids }, index) => {
        const name = (member: string) => `cases/${family}/${index}/${member}`;
        outputs[name('ids')] = tokenizer.encode(text, { addSpecialTokens: true });
        outputs[name('idsNoSpecial')] = () => tokenizer.encode(text);
        outputs[name('decoded')] = () => tokenizer.decode(ids);
        outputs[name('decodedKeepSpecial')] = () => tokenizer.decode(ids, { skipSpecialTokens: false });
      });
    }
    return outputs;
  },
};
