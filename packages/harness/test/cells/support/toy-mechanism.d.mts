import type { Mechanism } from '@palimpsest/lm';

export declare const mechanism: Required<Pick<Mechanism, 'tasks' | 'contenders'>> & Mechanism;
