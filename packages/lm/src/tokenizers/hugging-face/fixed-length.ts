import { InputError } from '@palimpsest/base';
import type { JsonValue } from '../../sequence-model.js';
import { type Component, countOption, isObject } from './component.js';

/** Cuts or fills ids to a length that a tokenizer.json states. */
export interface LengthRule {
  apply(ids: readonly number[]): readonly number[];
  /** What it does, for a person. */
  readonly remark: string;
}

const DIRECTIONS = ['Left', 'Right'];

/** The options of a field as those of a component, with a direction that there is. */
function optionsOf(value: JsonValue, field: string): Component {
  const direction = isObject(value) ? (value.direction ?? 'Right') : undefined;
  if (isObject(value) && DIRECTIONS.includes(direction as string))
    return { ...value, direction, type: field };
  throw new InputError(
    `The tokenizer's '${field}' is ${JSON.stringify(value)}, expected null or an object with the direction Left or Right.`,
  );
}

/**
 * The `truncation` of a tokenizer.json: what is too long is cut off at one end.
 * @param framing how many ids are put around a text when special tokens are asked for; they count.
 * @throws InputError for a length or a stride that cannot be.
 */
export function truncationOf(
  value: JsonValue | undefined,
):
  | { readonly remark: string; apply(ids: readonly number[], framing: number): readonly number[] }
  | undefined {
  if (value === null || value === undefined) return undefined;
  const options = optionsOf(value, 'truncation');
  const longest = countOption(options, 'max_length', 'truncation');
  const stride = options.stride === undefined ? 0 : countOption(options, 'stride', 'truncation');
  if (longest > 0 && stride >= longest) {
    throw new InputError(
      `The tokenizer's 'truncation' has a stride of ${stride}, which its max_length ${longest} must exceed.`,
    );
  }
  if (options.strategy === 'OnlySecond') {
    throw new InputError(
      "The tokenizer's 'truncation' cuts the second of two texts only, but here texts stand alone.",
    );
  }
  return {
    remark: `The tokenizer's file states truncation: texts are cut to ${longest} tokens; set 'truncation' to null to read them whole.`,
    apply: (ids, framing) => {
      const length = Math.max(0, longest - framing);
      if (ids.length <= length) return ids;
      return options.direction === 'Left' ? ids.slice(ids.length - length) : ids.slice(0, length);
    },
  };
}

/** The `padding` of a tokenizer.json: what is too short is filled at one end. @throws InputError for options that cannot be. */
export function paddingOf(value: JsonValue | undefined): LengthRule | undefined {
  if (value === null || value === undefined) return undefined;
  const options = optionsOf(value, 'padding');
  const id = countOption(options, 'pad_id', 'padding');
  const { strategy } = options;
  const fixed = isObject(strategy)
    ? countOption({ ...strategy, type: 'Fixed' }, 'Fixed', 'padding.strategy')
    : 0;
  if (!isObject(strategy) && strategy !== 'BatchLongest') {
    throw new InputError(
      `The tokenizer's 'padding' has the strategy ${JSON.stringify(strategy)}; supported are BatchLongest and {"Fixed": length}.`,
    );
  }
  const multiple = options.pad_to_multiple_of ? countOption(options, 'pad_to_multiple_of', 'padding') : 1;
  return {
    remark: `The tokenizer's file states padding: short texts are filled with the id ${id}; set 'padding' to null to read them as they are.`,
    apply: (ids) => {
      const wanted = isObject(strategy) ? fixed : ids.length;
      const missing = Math.ceil(wanted / multiple) * multiple - ids.length;
      if (missing <= 0) return ids;
      const filling = new Array<number>(missing).fill(id);
      return options.direction === 'Left' ? [...filling, ...ids] : [...ids, ...filling];
    },
  };
}
