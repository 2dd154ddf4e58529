/** A memory of an agent. */
export interface MemoryRecord {
  readonly id: number;
  readonly text: string;
  /** Default `default`. */
  readonly namespace: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  /** When it was said, in milliseconds since 1970. */
  readonly time: number;
  /** When it was last told or found. */
  readonly lastUsed: number;
  /** How often it was told again or found. */
  readonly uses: number;
  /** How often its text was changed. */
  readonly version: number;
}

/** Which memories are meant; what is left out does not restrict. */
export interface MemoryFilter {
  readonly namespace?: string | undefined;
  /** Members of the metadata that must be equal. */
  readonly where?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** From this time on, milliseconds since 1970. */
  readonly since?: number | undefined;
  /** Before this time. */
  readonly until?: number | undefined;
}

/** Whether a memory is one of those that a filter means. */
export function matches(
  record: MemoryRecord,
  { namespace, where = {}, since, until }: MemoryFilter,
): boolean {
  if (namespace !== undefined && record.namespace !== namespace) return false;
  if (since !== undefined && record.time < since) return false;
  if (until !== undefined && record.time >= until) return false;
  return Object.entries(where).every(([key, value]) => record.metadata[key] === value);
}
