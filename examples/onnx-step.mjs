// An exported model needs nothing but an ONNX runtime and its tokenizer, which lies beside it:
//   palimpsest export runs/my-run --out step.onnx
//   node onnx-step.mjs step.onnx "The cat "
// Every input but the token is the memory. It begins with zeros, and what comes out as next.NAME is fed as NAME.
import { readTokenizer } from '@palimpsest/lm';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [file, prompt, tokens = '40'] = process.argv.slice(2);
const tokenizer = readTokenizer(file.replace(/(\.onnx)?$/, '.tokenizer.json'));
const session = await InferenceSession.create(file);

let memory = Object.fromEntries(
  session.inputMetadata
    .filter(({ name }) => name !== 'token')
    .map(({ name, type, shape }) => {
      const size = shape.reduce((product, extent) => product * extent, 1);
      return [
        name,
        new Tensor(type, type === 'int32' ? new Int32Array(size) : new Float32Array(size), shape),
      ];
    }),
);

/** Reads one token and gives the scores of the next. */
async function read(id) {
  const { logits, ...after } = await session.run({ token: new Tensor('int32', [id], [1]), ...memory });
  memory = Object.fromEntries(
    Object.entries(after).map(([name, tensor]) => [name.slice('next.'.length), tensor]),
  );
  return logits.data;
}

let scores;
for (const id of tokenizer.encode(prompt)) scores = await read(id);
const written = [];
while (written.length < Number(tokens)) {
  const likeliest = scores.indexOf(scores.reduce((most, score) => Math.max(most, score)));
  written.push(likeliest);
  scores = await read(likeliest);
}
console.log(prompt + tokenizer.decode(written));
