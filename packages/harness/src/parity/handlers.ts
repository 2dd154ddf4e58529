import { goldenHandlers as backbone } from '@palimpsest/backbone/golden';
import { type GoldenHandler, pairingHandlers } from '@palimpsest/base/golden';
import { goldenHandlers as fiberGeometry } from '@palimpsest/fiber-geometry/golden';
import { goldenHandlers as kakeya } from '@palimpsest/kakeya/golden';
import { goldenHandlers as osam } from '@palimpsest/osam/golden';
import { parityHandlers as rsm } from '@palimpsest/rsm';
import { goldenHandlers as sketch } from '@palimpsest/sketch/golden';

/** The golden handlers of every package of the house. */
export const parityHandlers: readonly GoldenHandler[] = [
  ...sketch,
  ...kakeya,
  ...fiberGeometry,
  ...backbone,
  ...osam,
  ...pairingHandlers([...rsm]),
];
