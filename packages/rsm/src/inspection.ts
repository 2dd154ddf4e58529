import type { Inspection, InspectionPicture, Tokenizer } from '@palimpsest/lm';
import type { RsmConfig } from './config.js';
import type { TextInspection } from './inspect-text.js';

/** Tokens of one line of the pictures of reads. */
const LINE = 64;
/** Slots whose norms are drawn as lines. */
const LINES = 8;

/**
 * What an inspected RSM shows: slots, gates, effective rank and norms over the chunks, and which slots each token read.
 * @param readTokens most tokens at the end of the text whose reads are drawn
 */
export function inspectionOf(
  config: RsmConfig,
  inspected: TextInspection,
  tokenizer: Tokenizer,
  readTokens = 192,
): Inspection {
  const { chunks, tokens, numSlots, memoryOfLayer, gateCounts } = inspected;
  const decoder = tokenizer.streamingDecoder();
  const texts = Array.from(tokens, (id) => decoder.push(id));
  const { slotRank, gateMean } = chunks.at(-1)!;
  const name = (memory: number) =>
    slotRank.length === 1 ? 'the memory' : `block ${memoryOfLayer.indexOf(memory)}`;
  const first = Math.max(0, tokens.length - readTokens);
  const rounded = (values: readonly number[]) => values.map((value) => value.toFixed(2)).join(', ');
  return {
    facts: [
      ['wiring', `${config.preset}, ${config.numLayers} blocks of width ${config.hiddenSize}`],
      ['memory', `${numSlots} slots, ${config.memoryScope}; chunks of ${config.chunkSize} tokens`],
      ['text', `${tokens.length} tokens in ${chunks.length} chunks`],
    ],
    summary: [
      `${tokens.length} tokens in ${chunks.length} chunks`,
      `effective rank of the slots: ${rounded(slotRank)}`,
      `mean gates of the last write: ${rounded(gateMean)}`,
    ],
    sections: [
      {
        title: 'The text, and how much each token surprises',
        note: surpriseNote(inspected),
        pictures: [textPicture(inspected, texts)],
      },
      {
        title: 'Effective rank of the slots over time',
        note: `Participation ratio of the singular values: 1 when all ${numSlots} slots hold one vector, ${numSlots} when each holds another.`,
        pictures: [rankPicture(inspected, name)],
      },
      {
        title: 'Gates of all writes',
        note: 'A gate of 0 keeps what the slot held, 1 replaces it.',
        pictures: [
          {
            kind: 'histograms',
            title: 'How often gates had which value',
            xTitle: 'gate',
            range: [0, 1],
            panels: gateCounts.map((counts, layer) => ({ name: `block ${layer}`, counts })),
          },
        ],
      },
      {
        title: 'The slots after the last chunk',
        pictures: slotRank.map((_, memory) => slotPicture(inspected, memory, name(memory))),
      },
      {
        title: 'Norms of the first slots over time',
        pictures: slotRank.map((_, memory) => normPicture(inspected, memory, name(memory))),
      },
      {
        title: 'Which slots each token reads',
        note: `${first > 0 ? `The last ${tokens.length - first} of ${tokens.length} tokens. ` : ''}A row per slot, darker where more of the read comes from it; red lines mark chunk borders.`,
        pictures: readPictures(inspected, first, texts),
      },
    ],
    data: { tokens: tokens.length, chunks: chunks.map((chunk) => ({ ...chunk })), gateCounts },
  };
}

function surpriseNote({ losses, chunks }: TextInspection): string {
  const known = losses.filter((loss) => !Number.isNaN(loss));
  const mean = known.reduce((sum, loss) => sum + loss, 0) / Math.max(1, known.length);
  return `Mean ${mean.toFixed(3)} nats per token over ${known.length} tokens; bars mark the borders of the ${chunks.length} chunks.`;
}

function textPicture({ losses, chunks }: TextInspection, texts: readonly string[]): InspectionPicture {
  const starts = new Set(chunks.map(({ from }) => from));
  const pieces = texts.map((text, index) => {
    const loss = losses[index]!;
    const isFirst = Number.isNaN(loss);
    return {
      text,
      shade: isFirst ? 0 : Math.min(0.55, loss / 12),
      note: isFirst ? 'first token' : `${loss.toFixed(2)} nats`,
      border: starts.has(index) && index > 0,
    };
  });
  return { kind: 'text', pieces };
}

function rankPicture({ chunks }: TextInspection, name: (memory: number) => string): InspectionPicture {
  const memories = chunks[0]!.slotRank;
  const series = memories.map((_, memory) => ({
    name: name(memory),
    points: chunks.map(({ slotRank }, chunk) => ({ x: chunk + 1, y: slotRank[memory]! })),
  }));
  return { kind: 'lines', title: 'Effective rank', xTitle: 'chunks read', yTitle: 'effective rank', series };
}

function normPicture({ chunks, numSlots }: TextInspection, memory: number, name: string): InspectionPicture {
  const slots = Array.from({ length: Math.min(LINES, numSlots) }, (_, slot) => slot);
  return {
    kind: 'lines',
    title: `${name}${numSlots > LINES ? `, first ${LINES} of ${numSlots} slots` : ''}`,
    xTitle: 'chunks read',
    yTitle: 'norm',
    series: slots.map((slot) => ({
      name: `slot ${slot}`,
      points: chunks.map(({ slotNorms }, chunk) => ({ x: chunk + 1, y: slotNorms[memory]![slot]! })),
    })),
  };
}

function slotPicture(inspected: TextInspection, memory: number, name: string): InspectionPicture {
  const { numSlots, width } = inspected;
  const values = inspected.memory.subarray(memory * numSlots * width, (memory + 1) * numSlots * width);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return {
    kind: 'matrix',
    title: `${name}, channels 0 to ${width - 1}, colours ±${largest.toFixed(2)}`,
    rowTitle: 'slot',
    columnTitle: 'channel',
    range: [-largest, largest],
    rows: Array.from({ length: numSlots }, (_, slot) => values.subarray(slot * width, (slot + 1) * width)),
  };
}

/** Shows characters that cannot be seen. */
const visible = (text: string) => text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '·');

function readPictures(
  inspected: TextInspection,
  first: number,
  texts: readonly string[],
): InspectionPicture[] {
  const { numLayers, numSlots, reads, chunks, tokens } = inspected;
  const pictures: InspectionPicture[] = [];
  for (let from = first; from < tokens.length; from += LINE) {
    const to = Math.min(tokens.length, from + LINE);
    const places = Array.from({ length: to - from }, (_, index) => from + index);
    const borders = chunks.map((chunk) => chunk.from - from).filter((x) => x >= 0 && x < to - from);
    for (let layer = 0; layer < numLayers; layer++) {
      pictures.push({
        kind: 'matrix',
        title: `block ${layer}`,
        rowTitle: 'slot',
        columnTitle: 'token',
        range: [0, 1],
        columns: places.map((token) => [...visible(texts[token] ?? '')][0] ?? ''),
        borders,
        rows: Array.from({ length: numSlots }, (_, slot) =>
          places.map((token) => reads[(token * numLayers + layer) * numSlots + slot]!),
        ),
      });
    }
  }
  return pictures;
}
