import type { HistogramPicture } from '@palimpsest/lm';

const [WIDTH, HEIGHT] = [200, 90];

/** How often a value fell into each bin, one panel beside the other. */
export function Histograms({ picture }: { readonly picture: HistogramPicture }) {
  const { title, xTitle, range, panels } = picture;
  return (
    <figure class="histograms">
      <figcaption>
        {title} ({xTitle}, {range[0]} to {range[1]})
      </figcaption>
      {panels.map(({ name, counts }) => {
        const most = counts.reduce((largest, count) => Math.max(largest, count), 1);
        const bar = WIDTH / counts.length;
        return (
          <div key={name}>
            <svg
              viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
              role="img"
              aria-label={`${name}: ${counts.length} bins, most ${most}`}
            >
              {counts.map((count, index) => {
                const height = (HEIGHT * count) / most;
                return (
                  <rect
                    key={index}
                    class="series-0"
                    x={index * bar}
                    y={HEIGHT - height}
                    width={Math.max(bar - 1, 0.5)}
                    height={height}
                  />
                );
              })}
            </svg>
            <span class="hint">{name}</span>
          </div>
        );
      })}
    </figure>
  );
}
