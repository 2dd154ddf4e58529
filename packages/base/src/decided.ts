/** Options after every default: no key of `T` may be left out any more, and none is undefined. */
export type Decided<T> = { [Key in keyof T]-?: Exclude<T[Key], undefined> };
