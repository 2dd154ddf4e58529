import { mechanism as amsV4 } from '@palimpsest/ams-v4/mechanism';
import {
  attentionSinksMechanism,
  slidingWindowMechanism,
  mechanism as transformer,
} from '@palimpsest/backbone/mechanism';
import type { Mechanism } from '@palimpsest/lm';
import { mechanism as namm } from '@palimpsest/namm/mechanism';
import { mechanism as omArc } from '@palimpsest/om-arc/mechanism';
import { mechanism as osam } from '@palimpsest/osam/mechanism';
import { mechanism as rsm } from '@palimpsest/rsm/mechanism';
import {
  gatedDeltaNet,
  gatedLinearAttention,
  gru,
  linearAttention,
  lstm,
  mamba2,
  ngram,
  noMemory,
  rwkv7,
} from './controls/mechanisms.js';
import { fiberGeometry, kakeya, sessionViability, sketch } from './libraries.js';

/**
 * The one list of mechanisms: a mechanism joins with its card here. What can be trained, compared, shown and checked, the
 * profiles, the colours of pictures (by place) and the tables of the docs follow from it.
 */
export const mechanisms: readonly Mechanism[] = [
  osam,
  rsm,
  omArc,
  namm,
  amsV4,
  transformer,
  slidingWindowMechanism,
  attentionSinksMechanism,
  linearAttention,
  gru,
  lstm,
  gatedLinearAttention,
  gatedDeltaNet,
  mamba2,
  rwkv7,
  noMemory,
  ngram,
  sketch,
  kakeya,
  fiberGeometry,
  sessionViability,
];
