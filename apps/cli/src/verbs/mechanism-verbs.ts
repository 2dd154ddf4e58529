import { inspectionPage, openLanguageModel, type Registry } from '@palimpsest/harness';
import { defineVerb, type Verb } from '../verb.js';

/** The commands that mechanisms bring. */
export const mechanismVerbs = ({ mechanisms }: Registry): Verb[] =>
  mechanisms.flatMap(({ verbs = [] }) =>
    verbs.map(({ run, ...verb }) =>
      defineVerb({
        ...verb,
        run: (options, { output, signal, given, registry }, positional) =>
          run(
            options,
            {
              ...{ output, signal, given },
              open: (folder) => openLanguageModel(folder, registry),
              draw: inspectionPage,
            },
            positional,
          ),
      }),
    ),
  );
