import { describe, expect, it } from 'vitest';
import { memoryConfig } from '../src/index.js';

describe('options', () => {
  it('have two Kakeya sets or more, and slots that add up to the prefix', () => {
    const config = memoryConfig();
    expect(config.nKakeyaSets).toBeGreaterThanOrEqual(2);
    expect(config.prefixSlotsTime + config.prefixSlotsTopic + config.prefixSlotsCtx).toBe(config.lMem);
  });

  it.each([
    [{ nKakeyaSets: 1 }, "The option 'nKakeyaSets'"],
    [{ prefixSlotsCtx: 5 }, "The option 'lMem' of a memory, 12, must be the sum"],
    [{ dFTime: 33 }, "'dFTime' of a memory, 33, must be a multiple of 'nHeadsTime', 4"],
    [{ kakeyaReconstructionTol: 1 }, "The option 'kakeyaReconstructionTol'"],
    [{ tau: 0 }, "The option 'tau'"],
    [{ lossWeights: { recon: -1 } }, "The option 'lossWeights.recon'"],
    [{ slots: 1 }, "The option 'slots'"],
  ])('%o are refused', (options, message) => {
    expect(() => memoryConfig(options as object)).toThrow(message);
  });
});
