import { InputError } from '@palimpsest/base';
import type { JsonObject } from '../../sequence-model.js';
import { BytePairModel } from './byte-pair-model.js';
import { isObject } from './component.js';
import type { TokenModel } from './token-model.js';
import { UnigramModel } from './unigram-model.js';
import { WordLevelModel, WordPieceModel } from './word-models.js';

const models = {
  BPE: BytePairModel,
  WordPiece: WordPieceModel,
  WordLevel: WordLevelModel,
  Unigram: UnigramModel,
} as const;

/** The `model` of a tokenizer.json. @throws InputError for an unsupported type, or parts that do not fit together. */
export function tokenModelOf(model: JsonObject): TokenModel {
  if (model.vocab === undefined) throw new InputError("The tokenizer's 'model' has no 'vocab'.");
  const type = model.type ?? typeOf(model);
  if (typeof type === 'string' && Object.hasOwn(models, type))
    return new models[type as keyof typeof models](model);
  throw new InputError(
    `The tokenizer's 'model' is of type ${JSON.stringify(type)}, which is not supported; supported are ${Object.keys(models).join(', ')}.`,
  );
}

/** Older files name no type: it shows in the options. */
function typeOf(model: JsonObject): keyof typeof models {
  if (Array.isArray(model.merges)) return 'BPE';
  if (!isObject(model.vocab)) return 'Unigram';
  return model.continuing_subword_prefix === undefined ? 'WordLevel' : 'WordPiece';
}
