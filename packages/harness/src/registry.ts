import { createRegistry, type Registry } from './create-registry.js';
import { mechanisms } from './mechanisms.js';

/** Every mechanism of the house. */
export const standardRegistry: Registry = createRegistry(mechanisms);
