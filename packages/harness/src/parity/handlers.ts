import { parityHandlers as backbone } from '@palimpsest/backbone';
import { type GoldenHandler, pairingHandlers } from '@palimpsest/base/golden';
import { parityHandlers as fiberGeometry } from '@palimpsest/fiber-geometry';
import { parityHandlers as kakeya } from '@palimpsest/kakeya';
import { parityHandlers as osam } from '@palimpsest/osam';
import { parityHandlers as rsm } from '@palimpsest/rsm';
import { parityHandlers as sketch } from '@palimpsest/sketch';

/** The golden handlers of every package of the house. */
export const parityHandlers: readonly GoldenHandler[] = [
  ...pairingHandlers([...sketch, ...kakeya, ...fiberGeometry, ...backbone, ...osam, ...rsm]),
];
