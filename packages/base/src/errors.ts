/** An error a user can act on: one sentence that says what, where, what was expected and what to do. */
export class PalimpsestError extends Error {
  override readonly name: string = 'PalimpsestError';
}

/** Wrong shapes, dtypes, values or tree structures given by the caller. */
export class InputError extends PalimpsestError {
  override readonly name: string = 'InputError';
}

/** An engine that is unknown, cannot be loaded here, or ran out of memory. */
export class EngineError extends PalimpsestError {
  override readonly name = 'EngineError';
}

/** A compiled function did something that cannot become part of a static graph. */
export class TraceError extends PalimpsestError {
  override readonly name = 'TraceError';
}
