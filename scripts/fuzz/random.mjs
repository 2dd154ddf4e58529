/** Random numbers of a seed, the same on every machine (mulberry32), with the draws that mutations need. */
export function randomOf(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const int = (count) => Math.floor(uniform() * count);
  const pick = (list) => list[int(list.length)];
  return { uniform, int, pick };
}
