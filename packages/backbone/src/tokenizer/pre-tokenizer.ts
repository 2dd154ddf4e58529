import { InputError } from '@palimpsest/tensor-core';
import { toByteCharacters } from './byte-alphabet.js';
import type { Component } from './component.js';
import { sequenceOf, unsupported } from './component.js';
import { patternOf, splitAt, translate } from './pattern.js';

/** Cuts pieces of text further. */
export type Splitter = (pieces: readonly string[]) => string[];
const FIELD = 'pre_tokenizer';

/** The split of GPT-2 (Radford et al. 2019). */
const gpt2Pattern = translate(
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
);

/** The pre-tokenizer of a tokenizer.json; none keeps texts whole. @throws InputError for an unsupported type. */
export function preTokenizerOf(component: Component | undefined): Splitter {
  switch (component?.type) {
    case undefined:
      return (pieces) => [...pieces];
    case 'Sequence': {
      const steps = sequenceOf(component!, 'pretokenizers', FIELD).map(preTokenizerOf);
      return (pieces) =>
        steps.reduce<readonly string[]>((current, step) => step(current), pieces) as string[];
    }
    case 'ByteLevel':
      return byteLevel(component!);
    case 'Split':
      return split(component!);
    case 'Digits': {
      const pattern = component!.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu;
      return (pieces) => pieces.flatMap((piece) => splitAt(piece, pattern));
    }
    default:
      throw unsupported(FIELD, component!.type, ['Sequence', 'ByteLevel', 'Split', 'Digits']);
  }
}

function byteLevel({ add_prefix_space: addSpace, use_regex: useRegex }: Component): Splitter {
  return (pieces) =>
    pieces.flatMap((piece) => {
      const text = addSpace === true && !piece.startsWith(' ') ? ` ${piece}` : piece;
      return (useRegex === false ? [text] : splitAt(text, gpt2Pattern)).map(toByteCharacters);
    });
}

function split({ pattern, behavior, invert }: Component): Splitter {
  if (invert === true || (behavior !== 'Isolated' && behavior !== 'Removed')) {
    throw new InputError(
      `The tokenizer splits with behaviour '${String(behavior)}'${invert === true ? ', inverted' : ''}; supported are Isolated and Removed.`,
    );
  }
  const expression = patternOf(pattern, FIELD);
  return (pieces) => pieces.flatMap((piece) => splitAt(piece, expression, behavior === 'Removed'));
}
