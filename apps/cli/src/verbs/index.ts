import type { Verb } from '../verb.js';
import { bench } from './bench.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { parity } from './parity.js';

/** Every verb, in the order of the help. */
export const verbs: readonly Verb[] = [evaluate, parity, bench, doctor];
