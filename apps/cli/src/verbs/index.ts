import type { Registry } from '@palimpsest/harness';
import type { Verb } from '../verb.js';
import { bench } from './bench.js';
import { chat } from './chat.js';
import { describe } from './describe.js';
import { doctor } from './doctor.js';
import { evaluate } from './eval.js';
import { exportModel } from './export.js';
import { generate } from './generate.js';
import { info } from './info.js';
import { inspect } from './inspect.js';
import { list } from './ls.js';
import { mechanismVerbs } from './mechanism-verbs.js';
import { parity } from './parity.js';
import { pull } from './pull.js';
import { report } from './report.js';
import { score } from './score.js';
import { search } from './search.js';
import { serve } from './serve.js';
import { sweepVerbs } from './sweep.js';
import { trainVerbs } from './train.js';

/** Every verb, in the order of the help. */
export const verbsOf = (registry: Registry): readonly Verb[] => [
  ...trainVerbs(registry),
  generate,
  chat,
  serve,
  pull,
  info,
  score,
  inspect,
  exportModel,
  evaluate,
  report,
  ...sweepVerbs,
  search,
  ...mechanismVerbs(registry),
  list,
  describe,
  parity,
  bench,
  doctor,
];
