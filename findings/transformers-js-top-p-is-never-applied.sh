#!/usr/bin/env bash
# @huggingface/transformers (JavaScript) 4.3.2: generate takes `top_p`, `typical_p`, `epsilon_cutoff` and `eta_cutoff`, whose
# meanings its GenerationConfig explains, and applies none of them: the step of generation that should is a comment. Sampling
# with top_p = 0.5 draws from the whole vocabulary, its tail included; `top_k` and `temperature` work. Python's transformers
# applies all four. The generation_config.json of many chat models sets top_p, and the same model is wilder in a page than in
# Python. Nothing warns. Expected: token 0 alone (it has 60 %). Observed: all four tokens, in their shares.
# Fails (exit 1) when that is no longer so, and cannot be tried (exit 2) without the packages. Run: bash findings/transformers-js-top-p-is-never-applied.sh
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
echo "{}" > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/transformers@4.3.2 >/dev/null || { echo "not tried: the packages cannot be installed" >&2; exit 2; }
cat > run.mjs <<'JS'
import { PreTrainedModel, Tensor } from '@huggingface/transformers';
const shares = [0.6, 0.2, 0.15, 0.05];
// A model whose next token has these probabilities whatever came before; all else is the library's.
class Constant extends PreTrainedModel {
  constructor() {
    super({ model_type: 'gpt2', vocab_size: shares.length, is_encoder_decoder: false }, {}, {});
    this.can_generate = true;
    this.main_input_name = 'input_ids';
  }
  prepare_inputs_for_generation(_ids, inputs) { return inputs; }
  async forward() { return { logits: new Tensor('float32', Float32Array.from(shares, Math.log), [1, 1, shares.length]) }; }
}
const model = new Constant();
async function drawn(options) {
  const one = (value) => new Tensor('int64', BigInt64Array.of(value), [1, 1]);
  const ids = await model.generate({ inputs: one(0n), attention_mask: one(1n), do_sample: true, top_k: 0, max_new_tokens: 1000, ...options });
  const counts = shares.map(() => 0);
  for (const id of Array.from(ids.data).slice(1)) counts[Number(id)]++;
  console.log(`${JSON.stringify(options)}: tokens 0 to 3 drawn ${counts.join(', ')} times`);
  return counts;
}
const ignored = [];
for (const options of [{ top_p: 0.5 }, { top_p: 0.01 }, { typical_p: 0.1 }, { epsilon_cutoff: 0.3 }]) ignored.push(await drawn(options));
const [two, cold] = [await drawn({ top_k: 2 }), await drawn({ temperature: 0.1 })];
const tail = ignored.every((counts) => counts[3] > 20 && counts[0] < 700);
process.exitCode = tail && two[2] + two[3] === 0 && cold[3] === 0 ? 0 : 1;
JS
node run.mjs
