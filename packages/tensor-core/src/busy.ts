type Listener = (busy: boolean) => void;

const listeners = new Set<Listener>();
let depth = 0;

/**
 * Hears when this process begins work that keeps it from hearing anything else for long (the graph of a large model, the
 * tokens of a large text), and when that ends. A program that saves when it is asked to end hands the signals back to the
 * system for that time: there is nothing new to save, and nobody would hear them.
 * @returns the function that stops listening.
 */
export function onBusy(listener: Listener): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

/** Does work that may keep the process busy for long, and tells those who listen. */
export async function whileBusy<T>(work: () => T | Promise<T>): Promise<T> {
  if (listeners.size === 0 || depth > 0) return work();
  // One turn of the event loop first, so that a signal that came before is heard.
  await new Promise((resolve) => setTimeout(resolve, 0));
  tell(true);
  try {
    return await work();
  } finally {
    tell(false);
  }
}

function tell(busy: boolean): void {
  depth += busy ? 1 : -1;
  for (const listener of listeners) listener(busy);
}
