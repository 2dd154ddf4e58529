import { type Matrix, matrix } from '../linalg/matrix.js';

/** FNV-1a over the UTF-16 units of a word and the number of a draw, 32 bits. */
function hashOf(word: string, draw: number): number {
  let hash = Math.imul(0x811c9dc5 ^ draw, 0x01000193);
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  // FNV mixes its high bits poorly; a finaliser spreads them before every bit becomes a sign.
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a2d97);
  return (hash ^ (hash >>> 15)) >>> 0;
}

/**
 * One unit vector per sentence: every word has a hashed vector of signs, weighted by term frequency times log
 * inverse document frequency. Almost every direction carries the same variance, which is hard for every coder.
 */
export function hashedSentences(sentences: readonly string[], dimension = 256): Matrix<Float32Array> {
  const documents = sentences.map((sentence) => sentence.toLowerCase().match(/[a-z']+/g) ?? []);
  const documentFrequency = new Map<string, number>();
  for (const words of documents) {
    for (const word of new Set(words)) documentFrequency.set(word, (documentFrequency.get(word) ?? 0) + 1);
  }
  const result = matrix(sentences.length, dimension, new Float32Array(sentences.length * dimension));
  documents.forEach((words, row) => {
    const target = result.data.subarray(row * dimension, (row + 1) * dimension);
    for (const word of words) {
      addSigns(target, word, Math.log(sentences.length / documentFrequency.get(word)!));
    }
    let length = 0;
    for (const value of target) length += value * value;
    if (length > 0) for (let j = 0; j < dimension; j++) target[j]! /= Math.sqrt(length);
  });
  return result;
}

function addSigns(target: Float32Array, word: string, weight: number): void {
  let signs = 0;
  for (let j = 0; j < target.length; j++) {
    if (j % 32 === 0) signs = hashOf(word, j / 32);
    target[j]! += (signs >>> (j % 32)) & 1 ? weight : -weight;
  }
}
