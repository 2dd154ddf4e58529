/**
 * Where a rising function comes within a share of a target, by halving a range. A falling one is searched with its range turned round.
 * @throws Error when the target is not between the values at the ends, or no number of halvings comes near it.
 */
export async function bisect(at, target, { range: [from, to], tolerance, steps = 40 }) {
  const [least, most] = [await at(from), await at(to)];
  if (!(least <= target && target <= most)) {
    throw new Error(
      `${target} is not between ${least} at ${from} and ${most} at ${to}: nothing in between is it.`,
    );
  }
  let [low, high] = [from, to];
  for (let step = 0; step < steps; step++) {
    const middle = (low + high) / 2;
    const value = await at(middle);
    if (Math.abs(value - target) <= tolerance * target) return middle;
    if (value > target) high = middle;
    else low = middle;
  }
  throw new Error(
    `Nothing between ${from} and ${to} is within ${100 * tolerance} % of ${target}: it jumps over it at ${low}.`,
  );
}
