/** Values that damaged and foreign files have in the place of others. */
const STRANGE = [
  null,
  true,
  false,
  0,
  -1,
  1,
  0.5,
  2 ** 31,
  1e15,
  -1e300,
  '',
  'x',
  '__proto__',
  '\u0000',
  [],
  {},
  [[]],
  [null],
  { a: 1 },
  'F32',
  'constructor',
];

/** Every place of a document, as [container, key]. */
function placesOf(document) {
  const places = [];
  const visit = (node) => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node, key]);
      visit(node[key]);
    }
  };
  visit(document);
  return places;
}

/** Changes one place of a JSON document: another value, another number, none, another key, a copy from elsewhere. */
export function mutateJson(document, { int, pick, uniform }) {
  const places = placesOf(document);
  if (places.length === 0) return pick(STRANGE);
  const [container, key] = pick(places);
  const value = container[key];
  switch (int(6)) {
    case 0:
      container[key] = pick(STRANGE);
      break;
    case 1:
      if (Array.isArray(container)) container.splice(Number(key), 1);
      else delete container[key];
      break;
    case 2:
      container[key] =
        typeof value === 'number' ? value * pick([-1, 2, 1000, 1e9]) + pick([0, 1, -1]) : pick(STRANGE);
      break;
    case 3:
      if (!Array.isArray(container)) {
        delete container[key];
        container[pick(['x', `${key}x`, '__proto__', 'constructor'])] = value;
      } else container.push(value);
      break;
    case 4: {
      const [other, otherKey] = pick(places);
      container[key] = structuredClone(other[otherKey]);
      break;
    }
    default:
      container[key] = typeof value === 'string' ? value.slice(0, int(value.length + 1)) : uniform();
  }
  return document;
}

/** Changes bytes: some are flipped, cut off, put in, doubled, or replaced by what downloads leave behind. */
export function mutateBytes(bytes, { int, pick }) {
  const at = int(bytes.length + 1);
  switch (int(7)) {
    case 0: {
      const copy = Buffer.from(bytes);
      for (let i = 0; i <= int(4); i++) if (copy.length > 0) copy[int(copy.length)] ^= 1 << int(8);
      return copy;
    }
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return bytes.subarray(at);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + int(16), int(256)), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes, bytes.subarray(0, at)]);
    case 5: {
      const copy = Buffer.from(bytes);
      // The length of a safetensors header.
      for (let i = 0; i < Math.min(8, copy.length); i++) if (int(3) === 0) copy[i] = int(256);
      return copy;
    }
    default:
      return Buffer.from(
        pick([
          '',
          'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
          '<!doctype html><title>404</title>',
          '[[[['.repeat(5000),
          '{"a":'.repeat(5000),
          'PK\u0003\u0004',
        ]),
      );
  }
}

/** Changes the header of a safetensors file as JSON; its data stay. Bytes that are no such file are changed as bytes. */
export function mutateSafetensors(bytes, random) {
  const length = bytes.length >= 8 ? Number(bytes.readBigUInt64LE(0)) : Number.MAX_SAFE_INTEGER;
  if (8 + length > bytes.length) return mutateBytes(bytes, random);
  const header = mutateJson(JSON.parse(bytes.subarray(8, 8 + length).toString()), random);
  const text = Buffer.from(JSON.stringify(header) ?? '');
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([start, text, bytes.subarray(8 + length)]);
}

/** Puts numbers that are none into the data of a safetensors file. */
export function spoilNumbers(bytes, { int, pick }) {
  const copy = Buffer.from(bytes);
  const start = 8 + Number(copy.readBigUInt64LE(0));
  const count = Math.floor((copy.length - start) / 4);
  if (count > 0)
    copy.writeFloatLE(pick([Number.NaN, Number.POSITIVE_INFINITY, -1e38]), start + 4 * int(count));
  return copy;
}
