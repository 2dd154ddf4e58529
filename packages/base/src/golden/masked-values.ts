/** Numbers that count only where their mask is not 0: what a case computes but leaves open, such as rows of padding. */
export class MaskedValues {
  constructor(
    readonly values: ArrayLike<number>,
    readonly mask: ArrayLike<number | boolean>,
  ) {}
}
