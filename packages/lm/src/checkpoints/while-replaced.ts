/** How often a reading that was overtaken is repeated, and how long to wait before, milliseconds. */
const ATTEMPTS = 50;
const PAUSE = 20;

/**
 * Reads something that another process may be replacing at this moment: its parts can then be of two versions, or nowhere
 * for the time between two renames. A reading that fails is repeated as long as the version changes under it.
 * @param version names what stands there now; `undefined` when nothing does.
 */
export async function whileReplaced<T>(
  read: () => T | Promise<T>,
  version: () => string | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const before = version();
    try {
      return await read();
    } catch (error) {
      const after = version();
      if ((after !== undefined && after === before) || attempt === ATTEMPTS) throw error;
      // Nothing stood there before or after: not being replaced, unless a moment decides.
      if (after === undefined && before === undefined && attempt > 5) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
