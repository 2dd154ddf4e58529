import { describe, expect, it } from 'vitest';
import { decodeSafetensors, foreignCause, parseJson } from '../src/index.js';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('parseJson', () => {
  it('reads past a byte order mark', () => {
    expect(parseJson('\ufeff{"a":1}', 'F')).toEqual({ a: 1 });
    expect(parseJson(bytes('\ufeff{"a":1}'), 'F')).toEqual({ a: 1 });
  });

  it('reads the numbers that Python writes, and leaves texts alone', () => {
    expect(parseJson('{"a":[NaN,Infinity,-Infinity],"NaN":"-Infinity \\" NaN"}', 'F')).toEqual({
      a: [NaN, Infinity, -Infinity],
      NaN: '-Infinity " NaN',
    });
  });

  it.each([
    ['{"a":}', /^F is not JSON: /],
    ['{\n"a":\n\u0001}', /^F is not JSON: [^\n]*$/],
    ['', /^F is empty/],
    [
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n',
      /^F is a pointer of Git LFS, not the file of 7 bytes/,
    ],
    ['<html><title>404</title></html>', /^F is a web page \('404'\)/],
  ])('says what %j is', (text, message) => {
    expect(() => parseJson(text, 'F')).toThrow(message);
    expect(() => parseJson(bytes(text), 'F')).toThrow(message);
  });

  it('says that another encoding is no UTF-8', () => {
    expect(() => parseJson(Uint8Array.of(0xff, 0xfe, 0x7b, 0), 'F')).toThrow('F is not JSON in UTF-8');
  });
});

describe('what downloads leave behind', () => {
  it('is told for weights', () => {
    const pointer = bytes('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 988097824\n');
    expect(() => decodeSafetensors(pointer, 'w')).toThrow(
      'w is a pointer of Git LFS, not the file of 988097824 bytes',
    );
    const page = bytes('\n<!DOCTYPE html><html><head><title> 429 Too Many Requests </title>');
    expect(() => decodeSafetensors(page, 'w')).toThrow("w is a web page ('429 Too Many Requests')");
  });

  it('is nothing else', () => {
    expect(foreignCause(bytes('{}'))).toBeUndefined();
    expect(foreignCause(Uint8Array.of(8, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d))).toBeUndefined();
  });
});
