import type { GoldenSource } from './case.js';
import { compareNumbers, compareTexts, type OutputComparison } from './compare.js';
import type { GoldenHandler } from './contract.js';

/** A compared output of a handler that still pairs computed and expected values itself. */
interface PairedOutput {
  readonly name: string;
  readonly actual: ArrayLike<number> | string;
  readonly expected: ArrayLike<number> | string;
  readonly atol: number;
  readonly rtol: number;
  readonly exact?: boolean;
}

interface PairingHandler {
  readonly system: string;
  readonly kind: string;
  // biome-ignore lint/suspicious/noExplicitAny: every package has its own equal type of a case
  run(testCase: any, context: { readonly engine: unknown }): Promise<PairedOutput[]> | PairedOutput[];
}

const wrapped = new WeakMap<GoldenHandler, PairingHandler>();

/** Takes handlers that pair values themselves into the runner, until their packages return named arrays. */
export function pairingHandlers(handlers: readonly PairingHandler[]): GoldenHandler[] {
  return handlers.map((handler) => {
    const { system, kind } = handler;
    const golden: GoldenHandler = { system, kind, run: () => ({}) };
    wrapped.set(golden, handler);
    return golden;
  });
}

/** Runs a handler of {@link pairingHandlers}; `undefined` for any other. */
export async function runPairing(
  handler: GoldenHandler,
  source: GoldenSource,
  engine: unknown,
): Promise<OutputComparison[] | undefined> {
  const pairing = wrapped.get(handler);
  if (!pairing) return undefined;
  const outputs = await pairing.run(source, { engine });
  return outputs.map(({ name, actual, expected, atol, rtol, exact = false }) =>
    typeof actual === 'string' || typeof expected === 'string'
      ? compareTexts(name, String(actual), String(expected))
      : compareNumbers(name, { actual, expected }, { atol, rtol, exact, rows: new Map() }),
  );
}
