/**
 * Writes a checkpoint folder of random weights, tensor by tensor, to measure loading and decoding in the shape of real models.
 * `node bench/random-folder.mjs FOLDER [135m|494m, default 135m] [F32|BF16, default F32]`
 */
import { once } from 'node:events';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SHAPES = {
  '135m': {
    model_type: 'llama',
    vocab_size: 49_152,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    max_position_embeddings: 8192,
    rms_norm_eps: 1e-5,
    rope_theta: 100_000,
    hidden_act: 'silu',
    tie_word_embeddings: true,
  },
  '494m': {
    model_type: 'qwen2',
    vocab_size: 151_936,
    hidden_size: 896,
    intermediate_size: 4864,
    num_hidden_layers: 24,
    num_attention_heads: 14,
    num_key_value_heads: 2,
    max_position_embeddings: 32_768,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000,
    hidden_act: 'silu',
    tie_word_embeddings: true,
  },
};

const [folder, size = '135m', dtype = 'F32'] = process.argv.slice(2);
const config = SHAPES[size];
if (!folder || !config || !['F32', 'BF16'].includes(dtype)) {
  console.error('node bench/random-folder.mjs FOLDER [135m|494m] [F32|BF16]');
  process.exit(2);
}

/** Names and shapes of all tensors, as Llama's and Qwen's checkpoints have them. */
function* tensors() {
  const { hidden_size: width, intermediate_size: inner, num_attention_heads: heads } = config;
  const kv = (width / heads) * config.num_key_value_heads;
  yield ['model.embed_tokens.weight', [config.vocab_size, width]];
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const key = (name) => `model.layers.${layer}.${name}.weight`;
    yield [key('input_layernorm'), [width]];
    for (const [name, rows] of Object.entries({ q: width, k: kv, v: kv })) {
      yield [key(`self_attn.${name}_proj`), [rows, width]];
      if (config.model_type === 'qwen2') yield [`model.layers.${layer}.self_attn.${name}_proj.bias`, [rows]];
    }
    yield [key('self_attn.o_proj'), [width, width]];
    yield [key('post_attention_layernorm'), [width]];
    yield [key('mlp.gate_proj'), [inner, width]];
    yield [key('mlp.up_proj'), [inner, width]];
    yield [key('mlp.down_proj'), [width, inner]];
  }
  yield ['model.norm.weight', [width]];
}

// Numbers of a cheap generator: normal ones would take longer than everything that is measured.
let seed = 1;
function values(shape) {
  const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1));
  for (let index = 0; index < data.length; index++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    data[index] = shape.length === 1 ? 1 : (seed / 2 ** 32 - 0.5) * 0.06;
  }
  return data;
}

/** BF16: the upper half of every number. */
function upperHalves(data) {
  const halves = new Uint16Array(data.buffer);
  const upper = new Uint16Array(data.length);
  for (let index = 0; index < data.length; index++) upper[index] = halves[2 * index + 1];
  return upper;
}

/** A byte-level vocabulary of 256 characters, and names for the ids behind them. */
function tokenizer() {
  const printable = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte !== 173);
  let next = 256;
  const vocab = {};
  for (let byte = 0; byte < 256; byte++) {
    const code = printable(byte) ? byte : next;
    if (code === next) next += 1;
    vocab[String.fromCharCode(code)] = byte;
  }
  for (let id = 256; id < config.vocab_size; id++) vocab[`<${id}>`] = id;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: null,
    decoder: byteLevel,
    model: { type: 'BPE', vocab, merges: [] },
  };
}

mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer()));
const header = {};
let end = 0;
for (const [name, shape] of tensors()) {
  const bytes = shape.reduce((product, extent) => product * extent, dtype === 'F32' ? 4 : 2);
  header[name] = { dtype, shape, data_offsets: [end, end + bytes] };
  end += bytes;
}
const text = JSON.stringify(header);
const json = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(json.length));
const file = createWriteStream(join(folder, 'model.safetensors'));
file.write(length);
file.write(json);
for (const [, shape] of tensors()) {
  const data = values(shape);
  if (!file.write(new Uint8Array((dtype === 'F32' ? data : upperHalves(data)).buffer)))
    await once(file, 'drain');
}
file.end();
await once(file, 'close');
console.log(`${folder}: ${(end / 2 ** 20).toFixed(0)} MiB of weights`);
