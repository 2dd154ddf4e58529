import type { LinePicture } from '@palimpsest/lm';

const [WIDTH, HEIGHT] = [420, 200];
const [LEFT, RIGHT, TOP, BOTTOM] = [52, 10, 10, 34];

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Lines of one or more series, with a legend when there are several. */
export function Lines(props: { readonly picture: LinePicture; readonly logarithmic?: boolean }) {
  const { title, xTitle, yTitle, series } = props.picture;
  const points = series.flatMap((line) => line.points);
  if (points.length === 0) return null;
  const x = scaleOf(
    points.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
    false,
  );
  const y = scaleOf(
    points.map((point) => point.y),
    HEIGHT - BOTTOM,
    TOP,
    props.logarithmic === true,
  );
  const last = series.map(({ name, points: own }) => `${name} ${compact(own.at(-1)?.y ?? 0)}`).join(', ');
  return (
    <figure class="lines">
      <figcaption>{title}</figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${title}: ${yTitle} by ${xTitle}, at the end ${last}`}
      >
        {y.ticks.map((tick) => (
          <g key={tick}>
            <line class="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={y.at(tick)} y2={y.at(tick)} />
            <text x={LEFT - 6} y={y.at(tick) + 4} text-anchor="end">
              {compact(tick)}
            </text>
          </g>
        ))}
        {x.ticks.map((tick) => (
          <text key={tick} x={x.at(tick)} y={HEIGHT - BOTTOM + 16} text-anchor="middle">
            {compact(tick)}
          </text>
        ))}
        <text x={(LEFT + WIDTH - RIGHT) / 2} y={HEIGHT - 3} text-anchor="middle">
          {xTitle}
        </text>
        {series.map(({ name, points: own }, index) => (
          <polyline
            key={name}
            class={`series series-${index % 8}`}
            points={thinned(own)
              .map((point) => `${x.at(point.x).toFixed(1)},${y.at(point.y).toFixed(1)}`)
              .join(' ')}
          />
        ))}
      </svg>
      {series.length > 1 && (
        <ul class="legend">
          {series.map(({ name }, index) => (
            <li key={name} class={`series-${index % 8}`}>
              {name}
            </li>
          ))}
        </ul>
      )}
    </figure>
  );
}

/** At most as many points as there are places for. */
function thinned<P>(points: readonly P[]): readonly P[] {
  const step = Math.ceil(points.length / WIDTH);
  return step <= 1 ? points : points.filter((_, index) => index % step === 0 || index === points.length - 1);
}

function scaleOf(values: readonly number[], from: number, to: number, logarithmic: boolean): Scale {
  const positive = logarithmic ? values.filter((value) => value > 0) : values;
  const of = logarithmic ? (value: number) => Math.log10(Math.max(value, 1e-9)) : (value: number) => value;
  const low = of(positive.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY));
  const high = of(positive.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY));
  const [start, end] = high - low < 1e-9 ? [low - 0.5, high + 0.5] : [low, high];
  const at = (value: number) => from + ((of(value) - start) / (end - start)) * (to - from);
  // Powers of ten alone stand beside a logarithmic axis.
  return {
    at,
    ticks: ticksOf(start, end, logarithmic ? 1 : 0).map((tick) => (logarithmic ? 10 ** tick : tick)),
  };
}

/** Three to six round numbers of a range, at least as far apart as `least`. */
function ticksOf(start: number, end: number, least: number): number[] {
  const rough = Math.max((end - start) / 4, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!;
  const first = Math.ceil(start / step);
  return Array.from({ length: Math.floor(end / step) - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

const compact = (value: number): string =>
  Math.abs(value) >= 1000
    ? value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 })
    : String(Number(value.toPrecision(3)));
