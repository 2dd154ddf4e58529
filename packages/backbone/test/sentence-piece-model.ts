/** Text, score and type of a piece. */
export type Piece = readonly [string, number, number];

export interface ModelOptions {
  /** 1 for unigram, 2 for byte-pair encoding. */
  readonly kind: number;
  readonly bytes: boolean;
  readonly prefix: boolean;
  readonly removes: boolean;
  readonly normalizer?: string;
  readonly map?: Uint8Array;
  readonly denormalizer?: string;
  readonly blankBehind?: boolean;
  readonly unmarked?: boolean;
  /** Behind the 289 others (33 without bytes). */
  readonly extra?: readonly Piece[];
}

type Value = number | Uint8Array | { readonly float: number };

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** A protobuf message of numbered fields. */
export function message(...fields: readonly (readonly [number, Value])[]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'number') return [...varint(8 * number), ...varint(value)];
      if (value instanceof Uint8Array) return [...varint(8 * number + 2), ...varint(value.length), ...value];
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setFloat32(0, value.float, true);
      return [...varint(8 * number + 5), ...bytes];
    }),
  );
}

export const texts = (text: string) => new TextEncoder().encode(text);

const words = [
  ...['▁t', '▁th', '▁the', '▁s', 'sh', 'ip', '▁sh', '▁ship', 'ai', 'ail', '▁sail', 'er', '▁o', 'ov', '▁over'],
  ...['ea', '▁sea', '▁▁'],
];
const letters = [...'▁theshipalovr'].filter((letter, at, all) => all.indexOf(letter) === at);

/** A `tokenizer.model` with some words about ships: 3 controls, bytes if any, 18 words and 12 letters. */
export function modelOf(options: ModelOptions): Uint8Array {
  const {
    kind,
    bytes,
    prefix,
    removes,
    normalizer = 'identity',
    map = new Uint8Array(0),
    extra = [],
  } = options;
  const score = (at: number) => {
    if (kind !== 1) return -at;
    return at < words.length ? -2 - 0.25 * at : -7 - 0.5 * (at - words.length);
  };
  const hex = (byte: number) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
  const pieces: Piece[] = [
    ['<unk>', 0, 2],
    ['<s>', 0, 3],
    ['</s>', 0, 3],
    ...Array.from({ length: bytes ? 256 : 0 }, (_, byte): Piece => [hex(byte), 0, 6]),
    ...[...words, ...letters].map((text, at): Piece => [text, score(at), 1]),
    ...extra,
  ];
  const flag = (value: boolean) => (value ? 1 : 0);
  return message(
    ...pieces.map(
      ([text, float, type]) => [1, message([1, texts(text)], [2, { float }], [3, type])] as const,
    ),
    [2, message([3, kind], [24, flag(options.blankBehind === true)], [35, flag(bytes)])],
    [
      3,
      message(
        [1, texts(normalizer)],
        [2, map],
        [3, flag(prefix)],
        [4, flag(removes)],
        [5, flag(options.unmarked !== true)],
      ),
    ],
    ...(options.denormalizer === undefined
      ? []
      : [[5, message([1, texts(options.denormalizer)], [2, Uint8Array.of(1)])] as const]),
  );
}
