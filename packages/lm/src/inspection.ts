import type { JsonObject } from './sequence-model.js';

/** What a mechanism shows of its memory while it reads a text: data, which whoever shows it draws. */
export interface Inspection {
  /** Name and value of what was inspected. */
  readonly facts: readonly (readonly [string, string])[];
  /** One sentence each, for a terminal. */
  readonly summary: readonly string[];
  readonly sections: readonly InspectionSection[];
  /** What was measured, for programs. */
  readonly data: JsonObject;
}

/** Pictures of one question. */
export interface InspectionSection {
  readonly title: string;
  /** How to read them, in a sentence. */
  readonly note?: string;
  readonly pictures: readonly InspectionPicture[];
}

export type InspectionPicture = TextPicture | LinePicture | HistogramPicture | MatrixPicture;

/** The text itself on a ground that grows darker with a value. */
export interface TextPicture {
  readonly kind: 'text';
  readonly title?: string;
  readonly pieces: readonly {
    readonly text: string;
    /** From 0, white, to 1. */
    readonly shade: number;
    /** Shown when the pointer rests on it, or a finger; it may have several lines. */
    readonly note: string;
    /** A line before the piece: the border of a chunk. Default false. */
    readonly border?: boolean;
  }[];
}

/** Lines over time or size. */
export interface LinePicture {
  readonly kind: 'lines';
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly { readonly x: number; readonly y: number }[];
  }[];
}

/** How often a value fell into each bin, one panel beside the other; bins divide `range` evenly. */
export interface HistogramPicture {
  readonly kind: 'histograms';
  readonly title: string;
  readonly xTitle: string;
  readonly range: readonly [number, number];
  readonly panels: readonly { readonly name: string; readonly counts: readonly number[] }[];
}

/** Numbers as colours, a row per slot or state, a column per channel or token. */
export interface MatrixPicture {
  readonly kind: 'matrix';
  readonly title: string;
  /** What the rows are, as in 'slot'; they are numbered from 0. */
  readonly rowTitle: string;
  readonly columnTitle: string;
  readonly rows: readonly ArrayLike<number>[];
  /** Values of the palest and of the darkest colour; a range around 0 has two colours. */
  readonly range: readonly [number, number];
  /** One short text above each column. */
  readonly columns?: readonly string[];
  /** Columns before which a line is drawn: borders of chunks. */
  readonly borders?: readonly number[];
}
