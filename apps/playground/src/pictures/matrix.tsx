import type { MatrixPicture } from '@palimpsest/lm';
import { useEffect, useRef } from 'preact/hooks';

/** Numbers as colours, a row per slot or head. */
export function Matrix({ picture }: { readonly picture: MatrixPicture }) {
  const { title, rowTitle, columnTitle, rows, range, columns, borders = [] } = picture;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [height, width] = [rows.length, rows[0]?.length ?? 0];
  useEffect(() => {
    const element = canvas.current;
    if (element) paint(element, picture);
  }, [picture]);
  return (
    <figure class="matrix">
      <figcaption>{title}</figcaption>
      <div class="scroll">
        <div style={{ minWidth: `${Math.min(width * 8, 760)}px` }}>
          {columns && (
            <div class="columns" aria-hidden="true" style={{ gridTemplateColumns: `repeat(${width}, 1fr)` }}>
              {columns.map((column, index) => (
                <span key={index} class={borders.includes(index) ? 'border' : ''}>
                  {column}
                </span>
              ))}
            </div>
          )}
          <canvas
            ref={canvas}
            width={width}
            height={height}
            role="img"
            aria-label={`${title}: ${height} rows (${rowTitle}) by ${width} columns (${columnTitle}), values from ${range[0].toPrecision(3)} to ${range[1].toPrecision(3)}`}
            style={{ height: `${Math.max(24, Math.min(height * 14, 260))}px` }}
          />
        </div>
      </div>
    </figure>
  );
}

/** Two colours around 0, one from the least to the most otherwise; the ground of the page is nothing. */
function paint(element: HTMLCanvasElement, { rows, range }: MatrixPicture): void {
  const context = element.getContext('2d');
  if (!context) return;
  const [low, high] = range;
  const isSigned = low < 0 && high > 0;
  rows.forEach((row, y) => {
    for (let x = 0; x < row.length; x++) {
      const value = row[x]!;
      const strength = isSigned ? Math.abs(value) / Math.max(-low, high) : (value - low) / (high - low || 1);
      context.clearRect(x, y, 1, 1);
      context.globalAlpha = Math.max(0, Math.min(1, strength));
      context.fillStyle = isSigned && value < 0 ? '#d1622b' : '#2f77c9';
      context.fillRect(x, y, 1, 1);
    }
  });
}
