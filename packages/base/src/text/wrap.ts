/** Width in code points: an emoji or an accent counts once. */
export function displayWidth(text: string): number {
  return [...text].length;
}

/** What a part of a line may end with: a blank, which is dropped, or a sign that stays. */
const PARTS = /[^\s,;/=|]*(?:[,;/=|]+|\s+|$)/g;

/**
 * Breaks a line at blanks, else behind commas, semicolons, slashes and equals signs, else anywhere.
 * @param width most code points of a line, at least 1
 * @param hanging blanks before every line but the first
 */
export function wrapLine(line: string, width: number, hanging = 0): string[] {
  if (displayWidth(line) <= width) return [line];
  const indent = hanging < width / 2 ? ' '.repeat(hanging) : '';
  const own = /^\s*/.exec(line)![0];
  const lines: string[] = [];
  let current = own;
  const end = () => {
    lines.push(current.trimEnd());
    current = indent;
  };
  for (const word of wordsOf(
    line.slice(own.length),
    Math.max(1, width - Math.max(indent.length, own.length)),
  )) {
    if (displayWidth(current) + displayWidth(word.trimEnd()) > width && current.trim() !== '') end();
    current += word;
  }
  end();
  return lines;
}

/** Words with the blanks behind them; those that no line takes, in pieces. */
function wordsOf(text: string, width: number): string[] {
  const words = text.match(/\S+\s*/g) ?? [];
  return words.flatMap((word) => (displayWidth(word.trimEnd()) <= width ? [word] : piecesOf(word, width)));
}

function piecesOf(word: string, width: number): string[] {
  const parts = (word.match(PARTS) ?? []).filter((part) => part !== '');
  return parts.flatMap((part) => {
    const signs = [...part];
    if (displayWidth(part.trimEnd()) <= width) return [part];
    const count = Math.ceil(signs.length / width);
    return Array.from({ length: count }, (_, at) => signs.slice(at * width, (at + 1) * width).join(''));
  });
}
