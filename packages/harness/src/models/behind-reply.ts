import type { ChatMessage } from '@palimpsest/backbone';
import type { LanguageModel } from './open-language-model.js';

/**
 * Ids that a memory reads when a conversation goes on behind the model's reply. The end of the reply is left out where the
 * model has written it itself.
 * @param lastId the newest token of the memory
 */
export function behindReply(
  language: LanguageModel,
  messages: readonly ChatMessage[],
  lastId: number | undefined,
): Int32Array {
  const { chatTemplate, tokenizer } = language;
  return withoutEnd(language, tokenizer.encode(chatTemplate!.renderBehindReply(messages)), lastId);
}

/** Ids behind a reply without its end where that is the newest token of the memory. */
export function withoutEnd(
  { endIds }: Pick<LanguageModel, 'endIds'>,
  ids: Int32Array,
  lastId: number | undefined,
): Int32Array {
  const isEnded = lastId !== undefined && endIds.includes(lastId) && ids[0] === lastId;
  return isEnded ? ids.subarray(1) : ids;
}
