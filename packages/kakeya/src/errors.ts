import { InputError } from '@palimpsest/base';

/** Every refusal of this package: one sentence that says what, where, what was expected and what to do. */
export class KakeyaError extends InputError {
  override readonly name = 'KakeyaError';
}

/** Throws a {@link KakeyaError} when the condition does not hold. */
export function expect(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new KakeyaError(message());
}
