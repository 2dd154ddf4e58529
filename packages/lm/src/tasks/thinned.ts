const MOST_POINTS = 200;

/** At most 200 points of a long curve: means over stretches of equal length, each at the end of its stretch. */
export function thinned(points: readonly (readonly [number, number])[]): [number, number][] {
  const stride = Math.max(1, Math.ceil(points.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(points.length / stride) }, (_, index) => {
    const part = points.slice(index * stride, (index + 1) * stride);
    return [part.at(-1)![0], part.reduce((sum, [, y]) => sum + y, 0) / part.length];
  });
}
