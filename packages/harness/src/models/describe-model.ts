import {
  describeFolder,
  type FolderDescription,
  isAdapterFolder,
  type LoraConfig,
  loadAdapters,
} from '@palimpsest/backbone';
import { countParameters } from '@palimpsest/lm';
import type { Registry } from '../create-registry.js';
import { standardRegistry } from '../registry.js';
import { describeCheckpoint, formatCheckpoint, formatFacts } from './describe-checkpoint.js';
import { isPretrainedFolder } from './pretrained-folder.js';

/** A description for machines, and the same for people. */
export interface Description {
  readonly data: object;
  readonly text: string;
}

/**
 * Says what a checkpoint, a run folder, a Hugging Face folder, a GGUF file or a folder of adapters holds. Of the latter two the weights are checked
 * against what is said of them and not read.
 * @param width most characters of a line of the text. Default: no limit.
 * @throws InputError when it is missing, torn or foreign.
 */
export async function describeModel(
  folder: string,
  registry: Registry = standardRegistry,
  width?: number,
): Promise<Description> {
  if (isAdapterFolder(folder)) {
    const data = await describeAdapters(folder);
    return { data, text: formatAdapters(data, width) };
  }
  if (isPretrainedFolder(folder)) {
    const data = await describeFolder(folder);
    return { data, text: formatPretrained(data, width) };
  }
  const data = await describeCheckpoint(folder, registry);
  return { data, text: formatCheckpoint(data, width) };
}

interface AdapterDescription extends LoraConfig {
  readonly folder: string;
  /** Numbers of all adapters. */
  readonly parameters: number;
}

async function describeAdapters(folder: string): Promise<AdapterDescription> {
  const { model, params } = await loadAdapters(folder);
  return { folder, ...model.lora, parameters: countParameters(params) };
}

function formatAdapters(
  { folder, parameters, rank, alpha, targets, base }: AdapterDescription,
  width?: number,
) {
  const facts = [
    ['folder', folder],
    ['adapters', `${parameters} numbers: rank ${rank}, alpha ${alpha}, beside ${targets.join(', ')}`],
    ['model', base.folder],
  ];
  return formatFacts(facts as [string, string][], width);
}

const FAMILY_NAMES: Readonly<Record<FolderDescription['family'], string>> = {
  gpt2: 'GPT-2',
  qwen2: 'Qwen2',
  qwen3: 'Qwen3',
  llama: 'Llama',
  mistral: 'Mistral',
  smollm3: 'SmolLM3',
  gemma3: 'Gemma 3',
};

/**
 * The description for people.
 * @param width most characters of a line. Default: no limit.
 */
export function formatPretrained(description: FolderDescription, width?: number): string {
  const { config, family, dtypes, files, endIds } = description;
  const heads = `${config.heads} heads of ${config.headWidth} over ${config.keyValueHeads} key/value heads`;
  const facts = [
    ['folder', description.folder],
    [
      'architecture',
      `${FAMILY_NAMES[family]}, ${config.layers} layers of width ${config.modelWidth}, ${heads}`,
    ],
    [
      'parameters',
      `${description.parameters}, ${dtypes.join(' and ')} in ${files.length} ${files.length === 1 ? 'file' : 'files'} of ${description.storedBytes} bytes, ${description.memoryBytes} bytes in memory`,
    ],
    [
      'cache',
      `${description.cacheBytesPerToken} bytes per token; ${description.cacheBytes} bytes for ${config.capacity}`,
    ],
    ['context', `${config.context} tokens`],
    [
      'vocabulary',
      `${config.vocabSize} rows, ${description.tokenizerSize === undefined ? 'no tokenizer' : `${description.tokenizerSize} tokens`}`,
    ],
    ['end', endIds.length > 0 ? `ids ${endIds.join(', ')}` : 'no id ends a text'],
    ['chat template', description.hasChatTemplate ? 'yes' : 'none'],
    ['configuration', JSON.stringify(config)],
    ...description.warnings.map((warning) => ['warning', warning]),
  ];
  return formatFacts(facts as [string, string][], width);
}
