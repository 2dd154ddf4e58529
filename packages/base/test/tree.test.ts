import { expect, test } from 'vitest';
import { InputError, treeLeaves, treeMap, treeToRecord, treeZip } from '../src/index.js';

const tree = { a: 1, list: [2, { b: 3 }], none: undefined };

test('leaves come in order, with their paths, without missing ones', () => {
  expect(treeLeaves(tree)).toEqual([
    { path: 'a', leaf: 1 },
    { path: 'list.0', leaf: 2 },
    { path: 'list.1.b', leaf: 3 },
  ]);
  expect(treeToRecord(tree)).toEqual({ a: 1, 'list.0': 2, 'list.1.b': 3 });
  expect(treeLeaves(7)).toEqual([{ path: '', leaf: 7 }]);
});

test('mapping keeps the structure', () => {
  expect(treeMap<number, string>(tree, (leaf, path) => `${path}=${leaf}`)).toEqual({
    a: 'a=1',
    list: ['list.0=2', { b: 'list.1.b=3' }],
    none: undefined,
  });
});

test('trees are combined by path, whatever the order of their keys', () => {
  const sum = treeZip<number, number>(
    [
      { x: 1, y: [2] },
      { y: [20], x: 10 },
    ],
    ([p, q]) => p! + q!,
  );
  expect(sum).toEqual({ x: 11, y: [22] });
});

test('the first place at which structures differ is named', () => {
  const combine = () => 0;
  expect(() => treeZip([{ x: 1 }, { x: 1, y: [2] }], combine)).toThrow(InputError);
  expect(() => treeZip([{ x: 1 }, { x: 1, y: [2] }], combine)).toThrow(
    "Tree 1 differs in structure from tree 0 at 'y.0'.",
  );
  expect(() =>
    treeZip(
      [
        { x: 1, z: 2 },
        { x: 1, y: 2 },
      ],
      combine,
    ),
  ).toThrow("at 'z'");
});
