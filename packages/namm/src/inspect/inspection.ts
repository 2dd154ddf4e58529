import type { Inspection, InspectionPicture, Tokenizer } from '@palimpsest/lm';
import type { Schedule } from '../managed/schedule.js';
import type { HeadLives, ReadText, TokenLife } from './read-text.js';

/** The darkest ground that text is still read on. */
const DARKEST = 0.6;
const BARS = '▁▂▃▄▅▆▇█';

/** What a page shows of a text that was read under a policy. */
export function inspectionOf(read: ReadText, policy: string, tokenizer: Tokenizer): Inspection {
  const { tokens, updates, schedule, heads } = read;
  const decoder = tokenizer.streamingDecoder();
  const texts = Array.from(tokens, (id) => decoder.push(id));
  // A character that the text breaks off in.
  const rest = decoder.flush();
  if (rest !== '') texts[texts.length - 1] += rest;
  const layers = [...new Set(heads.map(({ layer }) => layer))];
  const kept = heads.map((head) => keptAfter(head, updates));
  const last = kept.map((counts) => counts.at(-1)!);
  const mean = last.reduce((sum, count) => sum + count, 0) / last.length;
  return {
    facts: [
      ['policy', policy],
      ['text', `${tokens.length} tokens, ${timesOf(schedule)}`],
      ['heads', `${heads.length} in ${layers.length} layers`],
    ],
    summary: [
      `${updates.length} updates in ${tokens.length} tokens`,
      `after the last one a head keeps ${mean.toFixed(1)} tokens on average, ${Math.min(...last)} to ${Math.max(...last)}`,
    ],
    sections: [
      {
        title: 'How many tokens each head keeps',
        note: 'Tokens in the cache right after each update.',
        pictures: layers.map((layer) => keptPicture(read, layer, kept)),
      },
      {
        title: 'The text, over all layers and heads',
        note: 'The stronger the colour, the longer a token stays: the share of the time since it came, mean over all heads. Bars mark updates. Rest the pointer on a token, or touch it, for what each head made of it.',
        pictures: [textPicture(read, texts, heads)],
      },
      ...layers.map((layer) => ({
        title: `Layer ${layer}`,
        note: 'One text per head, with the scores of a token at every update and the last spectrum of the attention that it received.',
        pictures: heads
          .filter((head) => head.layer === layer)
          .map((head) => ({ ...textPicture(read, texts, [head]), title: `Head ${head.head}` })),
      })),
    ],
    data: {
      tokens: tokens.length,
      updates: [...updates],
      heads: heads.map(({ layer, head }, index) => ({ layer, head, kept: kept[index]! })),
    },
  };
}

const timesOf = ({ updateInterval, adaptive }: Schedule): string =>
  adaptive
    ? `an update whenever ${adaptive.tailShare} tokens came for each one kept, and ${adaptive.least} at least`
    : `an update after every ${updateInterval}`;

/** Tokens of a head that stay at each update. */
const keptAfter = ({ lives }: HeadLives, updates: readonly number[]): number[] =>
  updates.map(
    (seen) =>
      lives.filter(({ verdicts }) => verdicts.some((verdict) => verdict.seen === seen && verdict.stays))
        .length,
  );

function keptPicture(
  { updates, heads }: ReadText,
  layer: number,
  kept: readonly (readonly number[])[],
): InspectionPicture {
  const series = heads.flatMap((head, index) =>
    head.layer === layer
      ? [
          {
            name: `head ${head.head}`,
            points: updates.map((x, update) => ({ x, y: kept[index]![update]! })),
          },
        ]
      : [],
  );
  return { kind: 'lines', title: `Layer ${layer}`, xTitle: 'tokens read', yTitle: 'tokens kept', series };
}

/** Share of the time since it came that a token was in the cache. */
function stay({ verdicts }: TokenLife, position: number, tokens: number): number {
  const end = verdicts.find(({ stays }) => !stays)?.seen ?? tokens;
  return (end - position) / (tokens - position);
}

function textPicture(
  { tokens, updates }: ReadText,
  texts: readonly string[],
  heads: readonly HeadLives[],
): InspectionPicture & { kind: 'text' } {
  const borders = new Set(updates);
  const pieces = texts.map((text, position) => {
    const stays = heads.map(({ lives }) => stay(lives[position]!, position, tokens.length));
    const share = stays.reduce((sum, value) => sum + value, 0) / stays.length;
    const [only] = heads;
    return {
      text,
      shade: DARKEST * share,
      note: `token ${position}, ${JSON.stringify(text)}\n${heads.length === 1 ? told(only!.lives[position]!) : toldOfAll(heads, position)}`,
      border: borders.has(position),
    };
  });
  return { kind: 'text', pieces };
}

/** What became of a token in one head. */
function told({ verdicts, spectrum }: TokenLife): string {
  if (verdicts.length === 0) return 'came after the last update';
  const scores = verdicts.map(
    ({ seen, score, stays }) => `${seen}: ${scoreText(score)}${stays ? '' : ', forgotten'}`,
  );
  const line = `scores at ${scores.join('; ')}`;
  return spectrum
    ? `${line}\nspectrum ${bars(spectrum)}, largest ${Math.max(...spectrum.map(Math.abs)).toPrecision(3)}`
    : line;
}

function toldOfAll(heads: readonly HeadLives[], position: number): string {
  const ends = heads.map(({ layer, head, lives }) => {
    const end = lives[position]!.verdicts.find(({ stays }) => !stays)?.seen;
    return `${layer}.${head} ${end === undefined ? 'stays' : `to ${end}`}`;
  });
  return `by layer and head: ${ends.join(', ')}`;
}

const scoreText = (score: number) => (Math.abs(score) >= 1e4 ? score.toExponential(1) : score.toFixed(3));

/** The magnitudes of a spectrum as bars, from the lowest bin on, the largest the highest; raw parts may be negative. */
function bars(spectrum: readonly number[]): string {
  const magnitudes = spectrum.map(Math.abs);
  const largest = Math.max(...magnitudes, 1e-30);
  return magnitudes
    .map((value) => BARS[Math.min(BARS.length - 1, Math.floor((value / largest) * BARS.length))])
    .join('');
}
