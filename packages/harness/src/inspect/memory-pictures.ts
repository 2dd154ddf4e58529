import type { TextInspection } from '@palimpsest/rsm';
import { divergingColour, label, picture, rectangle, sequentialColour } from './svg.js';

const WIDTH = 800;
const LEFT = 70;
const AREA = WIDTH - LEFT - 8;

/** Final memory of one of the model's memories: a row per slot, a column per channel, red below zero, blue above. */
export function slotHeatMap(inspection: TextInspection, memory: number): string {
  const { numSlots, width } = inspection;
  const values = inspection.memory.subarray(memory * numSlots * width, (memory + 1) * numSlots * width);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  const cell = { width: AREA / width, height: Math.min(14, Math.max(5, 160 / numSlots)) };
  const parts: string[] = [];
  for (let slot = 0; slot < numSlots; slot++) {
    const y = 4 + slot * cell.height;
    if (slot % Math.ceil(numSlots / 16) === 0) {
      parts.push(
        label({ x: LEFT - 6, y: y + cell.height - 2, text: `slot ${slot}`, size: 10, anchor: 'end' }),
      );
    }
    for (let channel = 0; channel < width; channel++) {
      const value = values[slot * width + channel]!;
      const fill = divergingColour(value / largest);
      parts.push(
        rectangle({
          x: LEFT + channel * cell.width,
          y,
          width: cell.width + 0.3,
          height: cell.height - 0.5,
          fill,
        }),
      );
    }
  }
  const bottom = 4 + numSlots * cell.height;
  parts.push(
    label({ x: LEFT, y: bottom + 14, text: `channel 0 to ${width - 1}`, size: 10 }),
    label({
      x: WIDTH - 8,
      y: bottom + 14,
      text: `colour range ±${largest.toFixed(2)}`,
      size: 10,
      anchor: 'end',
    }),
  );
  return picture(WIDTH, bottom + 20, `slots of memory ${memory}`, parts);
}

/** How often gates had which value, one panel per block. */
export function gateHistograms(inspection: TextInspection): string {
  const { gateCounts } = inspection;
  const columns = Math.min(4, gateCounts.length);
  const panel = { width: (WIDTH - 16) / columns, height: 130 };
  const parts = gateCounts.flatMap((counts, layer) => {
    const x = 8 + (layer % columns) * panel.width;
    const y = Math.floor(layer / columns) * panel.height;
    return histogram(counts, x, y, panel.width - 16, `block ${layer}`);
  });
  return picture(WIDTH, Math.ceil(gateCounts.length / columns) * panel.height, 'gate histograms', parts);
}

function histogram(counts: readonly number[], x: number, y: number, width: number, title: string): string[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(...counts, 1);
  const mean = counts.reduce((sum, count, bin) => sum + count * (bin + 0.5), 0) / total / counts.length;
  const [top, height] = [y + 22, 80];
  const bar = width / counts.length;
  const bars = counts.map((count, bin) => {
    const size = (count / most) * height;
    const range = `${(bin / counts.length).toFixed(2)} to ${((bin + 1) / counts.length).toFixed(2)}`;
    return rectangle({
      x: x + bin * bar,
      y: top + height - size,
      width: bar - 1,
      height: size,
      fill: '#3f5f8a',
      title: `${range}: ${((100 * count) / total).toFixed(1)} %`,
    });
  });
  return [
    label({ x, y: y + 14, text: `${title}, mean ${mean.toFixed(2)}`, size: 12, fill: '#2b2b2b' }),
    ...bars,
    rectangle({ x, y: top + height, width, height: 1, fill: '#9a958a' }),
    label({ x, y: top + height + 13, text: '0 keeps', size: 10 }),
    label({ x: x + width, y: top + height + 13, text: '1 replaces', size: 10, anchor: 'end' }),
  ];
}

/** Shows characters that cannot be seen. */
const visible = (text: string) => text.replaceAll('\n', '⏎').replaceAll('\t', '⇥').replaceAll(' ', '·');

/**
 * Which slots the tokens of a stretch read in one block: a column per token with the token above it, a row per slot, darker
 * where the read has more weight; the line above the tokens is the chunk's border.
 * @param texts what each token of the text stands for.
 */
export function readMap(
  inspection: TextInspection,
  layer: number,
  from: number,
  to: number,
  texts: readonly string[],
): string {
  const { numLayers, numSlots, reads, chunks } = inspection;
  const cell = { width: Math.min(14, AREA / (to - from)), height: Math.min(9, Math.max(4, 110 / numSlots)) };
  const starts = new Set(chunks.map((chunk) => chunk.from));
  const parts = [
    label({ x: LEFT - 6, y: 12, text: `block ${layer}`, size: 11, anchor: 'end', fill: '#2b2b2b' }),
  ];
  for (let token = from; token < to; token++) {
    const x = LEFT + (token - from) * cell.width;
    const text = visible(texts[token] ?? '');
    const centre = x + cell.width / 2;
    parts.push(
      label({
        x: centre,
        y: 12,
        text: text.slice(0, 1),
        size: 11,
        anchor: 'middle',
        fill: '#2b2b2b',
        monospace: true,
      }),
    );
    if (starts.has(token)) {
      parts.push(
        rectangle({ x: x - 0.75, y: 0, width: 1.5, height: 18 + numSlots * cell.height, fill: '#a8372f' }),
      );
    }
    for (let slot = 0; slot < numSlots; slot++) {
      const weight = reads[(token * numLayers + layer) * numSlots + slot]!;
      parts.push(
        rectangle({
          x,
          y: 18 + slot * cell.height,
          width: cell.width - 0.4,
          height: cell.height - 0.4,
          fill: sequentialColour(weight),
          title: `${text}: slot ${slot}, ${(100 * weight).toFixed(0)} %`,
        }),
      );
    }
  }
  return picture(WIDTH, 22 + numSlots * cell.height, `reads of block ${layer}`, parts);
}
