import { cachedRowWidth } from '@palimpsest/backbone';
import type { TextModel } from '../model/text-model.js';
import type { ConversationAdapters } from './adapters.js';
import { predictedCodec } from './predicted-rows.js';
import { floatCodec, halfCodec, integerCodec, type RowCodec } from './row-codec.js';
import { RowPrediction } from './row-prediction.js';

/** The form of keys and values that the adapters' configuration asks for. */
export function codecOf(text: TextModel, { config, rows, prediction }: ConversationAdapters): RowCodec {
  const width = cachedRowWidth(text.model.options);
  const { headWidth } = text.model.options;
  switch (config.kvDtype) {
    case 'f32':
      return floatCodec(width);
    case 'f16':
      return halfCodec(width);
    case 'int4':
      return integerCodec(width, headWidth, 4);
    case 'int8':
      return integerCodec(width, headWidth, 8);
    default:
      // Without built sets keys and values are kept in 8 bits; `bank.codec.name` says so.
      if (!rows) return integerCodec(width, headWidth, 8);
      return prediction ? predictedCodec(rows, new RowPrediction(prediction, text.unitEmbeddings)) : rows;
  }
}
