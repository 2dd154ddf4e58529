// An exported model in a page, with ONNX Runtime's WASM build and the tokenizer that lies beside the model:
//   palimpsest export runs/my-run --out step.onnx
// Put step.onnx and step.tokenizer.json beside the built page: `npx vite build`, or any other bundler.
// Every input but the token is the memory. It begins with zeros, and what comes out as next.NAME is fed as NAME.
import { restoreTokenizer } from '@palimpsest/lm';
import { InferenceSession, Tensor } from 'onnxruntime-web/wasm';

const TOKENS = 40;
const tokenizer = restoreTokenizer(await (await fetch('./step.tokenizer.json')).json());
const session = await InferenceSession.create('./step.onnx');

const emptyMemory = () =>
  Object.fromEntries(
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

/** Reads one token: the scores of the next, and the memory after it. */
async function read(id, memory) {
  const { logits, ...after } = await session.run({ token: new Tensor('int32', [id], [1]), ...memory });
  const next = Object.entries(after).map(([name, tensor]) => [name.slice('next.'.length), tensor]);
  return { scores: logits.data, memory: Object.fromEntries(next) };
}

async function write(prompt, output) {
  let step = { memory: emptyMemory() };
  for (const id of tokenizer.encode(prompt)) step = await read(id, step.memory);
  const written = [];
  while (written.length < TOKENS) {
    const likeliest = step.scores.indexOf(step.scores.reduce((most, score) => Math.max(most, score)));
    written.push(likeliest);
    output.textContent = prompt + tokenizer.decode(written);
    step = await read(likeliest, step.memory);
  }
}

const form = document.querySelector('form');
const button = form.querySelector('button');
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  await write(form.elements.prompt.value, document.querySelector('output'));
  button.disabled = false;
});
button.disabled = false;
