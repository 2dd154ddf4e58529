// Written by bench/contender/evolve.mjs.

/** A policy for multi-query recall: 190 numbers, evolved for 20 generations of 16 members. */
export const recallPolicy = {
  card: {
    evolvedFor: 'multi-query recall: 4, 6, 8 pairs in 32 tokens, 12 tokens kept per head',
    evolvedOn: 'a transformer of width 32, 2 layers, 2 heads and 24 tokens, which learned the same',
    generations: 20,
    members: 16,
    seed: 1,
    /** Probability of the right answer on 256 held-out samples, as shares of the full cache's. */
    heldOut: { newestAlone: 0.164, evolved: 0.901 },
  },
  options: {
    updateInterval: 8,
    maxTokensPerForward: 8,
    nFft: 8,
    hopLength: 4,
    emaCoeff: 0.97,
    recencyEmbedDim: 4,
    parameterisation: 'folded',
  },
  /** float32, little-endian, in base 64. */
  parameters:
    'bcAtPXTQM75xLxe+yQ5Ivuvj1L3BPsI+xEAOPr9hmL5KZkI+iOStvl7H4D1AGCK+DgmQvugVjz4eEgc+HzbuvfNd0r3qO9s+D3EhPcAaqj7wHRK/tzv0vX73+D6p2Sy/6JqwPSWAQL1U4E4+LWrEPWZWvL0aFGU+q+YTvok3nD4GSAS/sHPovRXYcj3UIzE+fcPBPvtWsD76XjI7Ht6VPhfFrj3WHyc9YXo3vvUgzb7cZSs+vHRhPTD9iT2EeYM9hB2cPbRTV74ZZIw9pk/GvUesbLxtg44+cjUwPnOCx72uIJY9X5GEPjxE7j2MBhK+oUqcPo8CbL5v4aA9io6GPncyB75Ex/+9sETVPQAkrz7nBbu+ZbUCPr+zqL5dnL++Xn3iPsXdaz3c0Fs+bU8vPh2MiD7PxQ+/q4yEPvs8wDwMqME+rZTpPvLKOb7Bh5u9MwY1vmxClD4qFJi9nGZuvr1lY76lifu9HZWRvdKWAL37Uyq9OukOP8VhXz0TBbs9OkxcvqN4hL3I4Dm/heGzuhlv1zyRJ5I8dVT2PcBYxz74gWC+mM1KvDjBoL5aC7E9JB+hvN0Glb4eObw+QhjHvq/k2L7FB9k+gCEkPiK+A74p9No+j06KvRYhZr546jW+VRXQPYWX1L5a00O+X4KUvjFUhr2XRsW92YquPcLjhz5ZDhq+5JCePhFc9j5K4dy8LjqGPqn1hzyTEBo9ZsKOvtvi2r7BLVY80tuZPpcIiT1YIJI8QlMPvoYilD7Sh9k9+GBCPhDdy703DMY9XMkMPpooqj43D5K+ZqYLOy8+NL2ce6A+I84WPdx/NL5CsLI+hDqAPrS4ij7zmni+1Me4PkzlZj70ADA9GP+uPgLM2L7gHlU+KOIjvh1Ayz25+oM983tSvjMiDT4sCQe/JeXxPeE/WD6TkwK8fpKKvmNELD4irr29JvyfPcg0Tb7lnIu+xVvgPRB2IL9c6Hi+Y7ZZPXyqlT5duQk+JJtYPcvqBT/Gl7Y+qDcyPg==',
  statistics: [
    {
      mean: [0.07958625, 0.056338, 0.03653307, 0.03579511, 0.03507639],
      variance: [0.0106023, 0.004538593, 0.002002352, 0.001991559, 0.002241045],
      count: 21904,
    },
  ],
} as const;
