import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLanguageModel } from '@palimpsest/harness';
import { generateText, Session } from '@palimpsest/lm';
import { createEngine } from '@palimpsest/tensor-core';
import { describe, expect, it } from 'vitest';
import { emptyFolder, palimpsest } from './support/cli.js';

const folderOf = (name: string) =>
  fileURLToPath(new URL(`../../../packages/backbone/test/golden/hf/${name}`, import.meta.url));

/** A copy of a tiny checkpoint, with other JSON files beside it. */
function changed(name: string, files: Readonly<Record<string, object | string>>): string {
  const folder = join(emptyFolder(), name);
  cpSync(folderOf(name), folder, { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

/** What a session over the plain oracle engine writes. */
async function expectedReply(folder: string, prompt: string, count: number): Promise<string> {
  const engine = await createEngine('cpu');
  try {
    const { model, params, tokenizer, encodeStart, endIds } = await openLanguageModel(folder);
    const session = await Session.create({ engine, model, params, sampling: { temperature: 0 } });
    return await generateText({
      session,
      tokenizer,
      prompt: encodeStart(prompt),
      maximumTokens: count,
      stopIds: endIds,
    });
  } finally {
    await engine.dispose();
  }
}

async function errorOf(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await palimpsest([...args, '--quiet']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^error: [^\n]*\n$/);
  return stderr;
}

describe('palimpsest generate --model', () => {
  it.each(['tiny-gpt2', 'tiny-qwen2', 'tiny-llama3'])('continues a prompt with %s', async (name) => {
    const flags = ['--prompt', 'Hello world', '--greedy', '--max-new-tokens', '10', '--json', '--quiet'];
    const { code, stdout } = await palimpsest(['generate', '--model', folderOf(name), ...flags]);
    expect(code).toBe(0);
    const reply = JSON.parse(stdout);
    expect(reply.text).toBe(await expectedReply(folderOf(name), 'Hello world', 10));
    expect(reply.tokens).toBe(10);
  });

  it('streams over a window with sinks, and over a shorter context', async () => {
    const flags = ['--greedy', '--max-new-tokens', '40', '--json', '--quiet'];
    const stateBytes = async (...cache: string[]) =>
      JSON.parse(
        (await palimpsest(['generate', '--model', folderOf('tiny-qwen2'), ...cache, ...flags])).stdout,
      ).stateBytes;
    const perSlot = 2 * 3 * 2 * 8 * 4 + 4;
    const sinks = ['--memory', 'sinks', '--budget', '16'];
    expect(await stateBytes(...sinks)).toBe(16 * perSlot + 4);
    expect(await stateBytes(...sinks, '--weights', '8bit')).toBe(16 * perSlot + 4);
    expect(await stateBytes('--memory', 'window', '--budget', '7')).toBe(7 * perSlot + 4);
    expect(await stateBytes('--context', '24')).toBe(24 * (2 * 3 * 2 * 8 * 4 + 4) + 4);
  });

  it('ends at the ids of generation_config.json and draws as it says unless flags say otherwise', async () => {
    const prompt = ['--prompt', 'Hello world', '--max-new-tokens', '12', '--json', '--quiet'];
    const generate = async (folder: string, ...flags: string[]) =>
      JSON.parse((await palimpsest(['generate', '--model', folder, ...prompt, ...flags])).stdout);
    const plain = folderOf('tiny-qwen2');
    const greedy = await generate(plain, '--greedy');
    const { tokenizer } = await openLanguageModel(plain);
    const cold = changed('tiny-qwen2', { 'generation_config.json': { do_sample: true, top_k: 1 } });
    expect((await generate(cold)).text).toBe(greedy.text);
    expect((await generate(cold, '--top-k', '0', '--seed', '5')).text).not.toBe(greedy.text);
    const first = tokenizer.encode(greedy.text)[0]!;
    const ending = changed('tiny-qwen2', { 'generation_config.json': { eos_token_id: [first, 2] } });
    expect(await generate(ending, '--greedy')).toMatchObject({ text: '', tokens: 1, reason: 'stop' });
  });

  it('reads a GGUF file, and weights of few bits, which every other number is refused for', async () => {
    const gguf = fileURLToPath(
      new URL('../../../packages/backbone/test/golden/gguf/tiny-llama3.gguf', import.meta.url),
    );
    const flags = ['--prompt', 'Hello world', '--max-new-tokens', '9', '--json', '--quiet', '--seed', '3'];
    for (const weights of [[], ['--weights', '32bit'], ['--weights', '8bit'], ['--weights', '4bit']]) {
      const { stdout } = await palimpsest(['generate', '--model', gguf, ...weights, ...flags]);
      expect(JSON.parse(stdout)).toMatchObject({ prompt: 'Hello world', tokens: 9 });
    }
    const { code, stderr } = await palimpsest(['generate', '--model', gguf, '--weights', '3bit']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('choices are 4bit, 8bit, 16bit, 32bit'),
    });
    const torn = join(emptyFolder(), 'torn.gguf');
    writeFileSync(torn, readFileSync(gguf).subarray(0, 4000));
    expect(await errorOf('generate', '--model', torn)).toContain('torn.gguf is cut off');
  });

  it('names the file and the key of a broken folder, with code 2', async () => {
    const config = JSON.parse(readFileSync(join(folderOf('tiny-qwen2'), 'config.json'), 'utf8'));
    const broken = (files: Readonly<Record<string, object | string>>) => changed('tiny-qwen2', files);
    const generate = (folder: string, ...flags: string[]) => errorOf('generate', '--model', folder, ...flags);
    expect(await generate(broken({ 'config.json': { ...config, model_type: 'mamba' } }))).toMatch(
      /config\.json: the model_type "mamba" is not supported; supported are gpt2, qwen2, qwen3, llama, mistral, smollm3, gemma3\.\n$/,
    );
    expect(await generate(broken({ 'config.json': { ...config, hidden_size: undefined } }))).toContain(
      "config.json: the key 'hidden_size' is missing",
    );
    expect(await generate(broken({ 'config.json': { ...config, num_hidden_layers: 4 } }))).toContain(
      "lacks 'model.layers.3.input_layernorm.weight'",
    );
    expect(await generate(broken({ 'model-00002-of-00002.safetensors': 'torn' }))).toContain(
      'model-00002-of-00002.safetensors',
    );
    expect(await generate(broken({ 'tokenizer.json': '{}' }))).toContain('tokenizer.json');
    expect(await generate(folderOf('tiny-llama2-tokenizer'))).toContain('There is no file');
    expect(await generate(folderOf('tiny-gpt2'), '--context', '65')).toContain("'n_positions' is 64");
    expect(await generate(emptyFolder())).toContain('is not a checkpoint');
    expect(await errorOf('generate', 'here', '--model', 'there')).toContain('Give one model');
    expect(await errorOf('generate')).toContain('Which model?');
  });
});

describe('palimpsest chat --model', () => {
  const template =
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
  const chat = async (folder: string, lines: readonly string[]) => {
    const flags = ['--greedy', '--max-new-tokens', '3', '--quiet'];
    const input = lines.map((line) => `${line}\n`).join('');
    const { code, stdout } = await palimpsest(['chat', '--model', folder, ...flags], { input });
    expect(code).toBe(0);
    return stdout.split('>> ').slice(1);
  };
  const positionIn = (reply: string) => Number(/^position (\d+)/.exec(reply)?.[1]);

  it('reads lines through the chat template, and as they are without one', async () => {
    const folder = changed('tiny-llama3', {
      'tokenizer_config.json': {
        bos_token: '<|begin_of_text|>',
        eos_token: '<|eot_id|>',
        chat_template: template,
      },
    });
    const { tokenizer, chatTemplate } = await openLanguageModel(folder);
    const rendered = tokenizer.encode(chatTemplate!.render([{ role: 'user', content: 'hello' }]));
    const replies = await chat(folder, ['hello', ':state', ':reset', ':state', 'hello', ':state']);
    expect(positionIn(replies[1]!)).toBe(rendered.length + 3);
    expect(positionIn(replies[3]!)).toBe(0);
    expect(replies[4]).toBe(replies[0]);
    expect(positionIn(replies[5]!)).toBe(rendered.length + 3);
    const plain = await chat(folderOf('tiny-llama3'), ['hello', ':state', 'hello', ':state']);
    const length = tokenizer.encode('hello').length;
    expect(positionIn(plain[1]!)).toBe(1 + length + 3);
    expect(positionIn(plain[3]!)).toBe(1 + 2 * (length + 3));
  });
});

describe('palimpsest chat --model --memory', () => {
  const gguf = fileURLToPath(
    new URL('../../../packages/backbone/test/golden/gguf/tiny-llama3.gguf', import.meta.url),
  );
  const template =
    "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}{{ '<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
  const folder = () =>
    changed('tiny-llama3', {
      'tokenizer_config.json': {
        bos_token: '<|begin_of_text|>',
        eos_token: '<|eot_id|>',
        chat_template: template,
      },
    });
  const chat = async (model: string, lines: readonly string[], ...flags: string[]) => {
    const usual = ['--greedy', '--max-new-tokens', '4', '--quiet'];
    const input = lines.map((line) => `${line}\n`).join('');
    const args = ['chat', '--model', model, ...usual, ...flags];
    const { code, stdout, stderr } = await palimpsest(args, { input });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.split('>> ').slice(1);
  };
  const bytesIn = (reply: string) => Number(/ (\d+) bytes of memory/.exec(reply)?.[1]);
  const conversation = ['one more line', ':state', ...Array.from({ length: 12 }, () => 'and one more line')];

  it.each([
    ['window', gguf, []],
    ['sinks', folder(), []],
    ['h2o', folder(), ['--update-interval', '8']],
    ['tova', gguf, ['--update-interval', '8', '--weights', '8bit']],
  ])('talks on with the memory %s, whose bytes do not grow', async (name, model, more) => {
    const flags = ['--memory', name, '--budget', '16', ...more];
    const replies = await chat(model, [...conversation, ':state', ...conversation, ':state'], ...flags);
    const states = replies.filter((reply) => reply.startsWith('position '));
    const positions = states.map((state) => Number(/^position (\d+)/.exec(state)![1]));
    expect(positions.at(-1)).toBeGreaterThan(250);
    const bytes = states.map(bytesIn);
    const perSlot = 4 * (2 * 2 * 16 + 2);
    // A rule that watches attention lets the cache grow until its next look, and carries what it saw of every slot.
    const slots = more.length > 0 ? 4 * (16 + 8) : 16;
    for (const held of bytes) expect(held).toBeLessThanOrEqual(slots * perSlot);
    if (more.length === 0) expect(new Set(bytes).size).toBe(1);
  });

  it.each([
    ['window', []],
    ['h2o', ['--update-interval', '8']],
  ])('saves, restores and forks a conversation under the memory %s', async (name, more) => {
    const lines = ['first', 'second', ':save kept.bin', ':snapshot', 'third', ':restore', 'third'];
    const again = [...lines, 'else', ':load kept.bin', 'third', ':restore', ':temp 1', ':fork', 'third'];
    const flags = ['--memory', name, '--budget', '16', ...more];
    const replies = await chat(folder(), [...again, ':restore', 'third'], ...flags);
    expect(replies[6]).toBe(replies[4]);
    expect(replies[9]).toBe(replies[4]);
    expect(replies[12]).toMatch(/^Kept position \d+ as 'latest'; what follows is drawn anew/);
    expect(replies[15]).not.toBe(replies[13]);
  });

  it('refuses what a memory needs or does not know, by its flag', async () => {
    const generate = (...flags: string[]) => errorOf('generate', '--model', folderOf('tiny-qwen2'), ...flags);
    expect(await generate('--memory', 'window')).toContain("The memory 'window' needs --budget");
    expect(await generate('--budget', '8')).toContain('--budget belongs to a memory');
    expect(await generate('--memory', 'windw', '--budget', '8')).toContain("did you mean 'window'?");
    expect(await generate('--memory', 'window', '--budget', '8', '--sinks', '2')).toContain(
      'no option --sinks',
    );
    expect(await generate('--memory', 'sinks', '--budget', '4')).toContain('leaves no window beside 4 sinks');
    expect(await generate('--memory', 'window', '--budget', '8', '--context', '9')).toContain('--context');
  });
});

describe('palimpsest info on a Hugging Face folder', () => {
  it.each([
    ['tiny-gpt2', 25320, 2 * 2 * 3 * 8 * 4, 64, 'GPT-2'],
    ['tiny-qwen2', 34848, 2 * 3 * 2 * 8 * 4, 512, 'Qwen2'],
    ['tiny-llama3', 29784, 2 * 2 * 1 * 16 * 4, 512, 'Llama'],
  ])('says what %s is', async (name, parameters, bytesPerToken, context, architecture) => {
    const { code, stdout } = await palimpsest(['info', folderOf(name), '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      parameters,
      cacheBytesPerToken: bytesPerToken,
      config: { context },
    });
    const people = (await palimpsest(['info', folderOf(name)])).stdout;
    expect(people).toMatch(new RegExp(`^architecture +${architecture}, `, 'm'));
    expect(people).toMatch(new RegExp(`^parameters +${parameters}, `, 'm'));
    expect(people).toMatch(new RegExp(`^cache +${bytesPerToken} bytes per token; `, 'm'));
    expect(people).toMatch(new RegExp(`^context +${context} tokens$`, 'm'));
  });

  it('refuses a broken one with code 2', async () => {
    const folder = changed('tiny-gpt2', { 'model.safetensors': 'short' });
    expect(await errorOf('info', folder)).toContain('model.safetensors');
  });
});

describe('palimpsest train transformer --load with a Hugging Face folder', () => {
  const folder = folderOf('tiny-qwen2');

  it('fine-tunes it into a run that goes on and writes', async () => {
    const run = join(emptyFolder(), 'run');
    const sizes = [
      '--batch-size',
      '2',
      '--seq-len',
      '8',
      '--sample-every',
      '0',
      '--validation-fraction',
      '0',
    ];
    const flags = [...sizes, '--steps', '2', '--out', run, '--engine', 'cpu', '--json'];
    const { code, stderr } = await palimpsest(['train', 'transformer', '--load', folder, ...flags]);
    expect({ code, note: stderr.includes('fine-tuning at a learning rate of 0.00005') }).toEqual({
      code: 0,
      note: true,
    });
    const [start] = readFileSync(join(run, 'metrics.jsonl'), 'utf8').split('\n');
    expect(JSON.parse(start!)).toMatchObject({ settings: { learningRate: 5e-5 } });
    const again = await palimpsest(['train', 'transformer', '--load', run, '--steps', '3', '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ step: 3 });
    const reply = await palimpsest(['generate', run, '--prompt', 'Hello', '--max-new-tokens', '3', '--json']);
    expect(JSON.parse(reply.stdout).tokens).toBeGreaterThan(0);
  }, 240_000);

  it('refuses flags of what the folder has decided, and other models', async () => {
    const refusal = (...flags: string[]) => errorOf('train', 'transformer', '--load', folder, ...flags);
    expect(await refusal('--layers', '2')).toContain('--layers says what a new model shall be');
    expect(await refusal('--preset', 'small')).toContain('--preset says what a new model shall be');
    expect(await refusal('--tokenizer-path', 'x')).toContain('--tokenizer-path chooses a vocabulary');
    expect(await errorOf('train', 'osam', '--load', folder)).toContain("fine-tune it by 'train transformer'");
  }, 240_000);
});
