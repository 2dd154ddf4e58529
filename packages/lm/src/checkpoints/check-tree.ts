import { formatShape, type NDArray, treeLeaves } from '@palimpsest/base';

type Shaped = Pick<NDArray, 'shape' | 'dtype'>;

/**
 * The first difference between the arrays of two trees, as the end of a sentence about the second; nothing when every path,
 * shape and element type is the same.
 */
export function treeDifference(expected: unknown, actual: unknown): string | undefined {
  const [wanted, given] = [expected, actual].map(
    (tree) => new Map(treeLeaves<Shaped>(tree).map(({ path, leaf }) => [path, leaf])),
  ) as [Map<string, Shaped>, Map<string, Shaped>];
  for (const [path, { shape, dtype }] of wanted) {
    const other = given.get(path);
    if (!other) return `lacks '${path}' of shape ${formatShape(shape)}`;
    if (formatShape(other.shape) !== formatShape(shape) || other.dtype !== dtype) {
      return `has '${path}' as ${other.dtype} of shape ${formatShape(other.shape)} instead of ${dtype} of ${formatShape(shape)}`;
    }
  }
  const further = [...given.keys()].find((path) => !wanted.has(path));
  return further === undefined ? undefined : `has '${further}' beside what belongs there`;
}
