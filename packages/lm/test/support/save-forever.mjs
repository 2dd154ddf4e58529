// Saves checkpoints whose every number is the number of the save, until it is killed: node save-forever.mjs <folder>
import { ndarray } from '@palimpsest/tensor-core';
import { saveCheckpoint } from '../../dist/index.js';

const [folder] = process.argv.slice(2);
const model = { name: 'numbers', config: {} };
for (let save = 1; ; save++) {
  const params = {
    a: ndarray(new Float32Array(400_000).fill(save)),
    b: { c: ndarray(new Float32Array(9).fill(save)) },
  };
  await saveCheckpoint(folder, { model, params, notes: { save } });
  process.send(save);
}
