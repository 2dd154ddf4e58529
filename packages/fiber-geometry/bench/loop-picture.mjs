// Draws a tangent vector carried once around a circle of latitude of the sphere: it comes back turned by 2π cos θ.
//   node bench/loop-picture.mjs [file.svg]
import { writeFileSync } from 'node:fs';
import { createEngine, ndarray, tf } from '../../tensor-core/dist/index.js';
import { FiberTransporter } from '../dist/index.js';

const COLATITUDE = (52 * Math.PI) / 180;
const ARROWS = 24;
const STEPS_PER_ARROW = 8;

/**
 * The sphere's own connection in the frame (south, east) at (θ, φ): A(x, v) = cos θ · v_φ · J, so that f' = -A f is parallel
 * transport.
 */
const sphere = (x, v) => {
  const turn = tf.mul(tf.cos(tf.slice(x, [0, 0], [-1, 1])), tf.slice(v, [0, 1], [-1, 1]));
  const j = tf.tensor3d([0, -1, 1, 0], [1, 2, 2]);
  return tf.mul(tf.reshape(turn, [-1, 1, 1]), j);
};

const engine = await createEngine('cpu');
const transporter = new FiberTransporter(sphere, { integrator: 'magnus4', normPolicy: 'none', subdivide: 1 });
const carry = engine.compile((path) => transporter.transportMatrix(path));
const longitude = (step) => (2 * Math.PI * step) / (ARROWS * STEPS_PER_ARROW);

/** The vector (south, east) after `arrow` parts of the loop; it starts pointing south. */
async function carried(arrow) {
  if (arrow === 0) return [1, 0];
  const steps = arrow * STEPS_PER_ARROW;
  const points = Float32Array.from({ length: 2 * (steps + 1) }, (_, i) =>
    i % 2 === 0 ? COLATITUDE : longitude((i - 1) / 2),
  );
  const matrix = await carry(ndarray(points, [1, steps + 1, 2]));
  const values = await matrix.data();
  matrix.dispose();
  return [values[0], values[2]];
}

// The globe seen from 25° above the equator; east is to the right.
const TILT = (25 * Math.PI) / 180;
const project = ([x, y, z]) => {
  const up = z * Math.cos(TILT) - x * Math.sin(TILT);
  return { x: 260 + 190 * y, y: 215 - 190 * up, depth: x * Math.cos(TILT) + z * Math.sin(TILT) };
};
const at = (theta, phi) => [
  Math.sin(theta) * Math.cos(phi),
  Math.sin(theta) * Math.sin(phi),
  Math.cos(theta),
];
const south = (theta, phi) => [
  Math.cos(theta) * Math.cos(phi),
  Math.cos(theta) * Math.sin(phi),
  -Math.sin(theta),
];
const east = (phi) => [-Math.sin(phi), Math.cos(phi), 0];

const line = (points, style) => {
  const d = points.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)},${y.toFixed(1)}`).join('');
  return `<path d="${d}" fill="none" ${style}/>`;
};
/** A curve on the globe, its far side faint. */
function curve(points, style) {
  const pieces = [];
  for (let i = 1; i < points.length; i++) {
    const pair = [project(points[i - 1]), project(points[i])];
    const opacity = pair[0].depth + pair[1].depth > 0 ? 1 : 0.25;
    pieces.push(line(pair, `${style} opacity="${opacity}"`));
  }
  return pieces.join('');
}
const ring = (theta) => Array.from({ length: 121 }, (_, i) => at(theta, (2 * Math.PI * i) / 120));
const meridian = (phi) => Array.from({ length: 61 }, (_, i) => at((Math.PI * i) / 60, phi));

const LENGTH = 0.3;
function arrow(phi, [s, e], style) {
  const from = at(COLATITUDE, phi);
  const direction = south(COLATITUDE, phi).map((value, i) => s * value + e * east(phi)[i]);
  const [a, b] = [project(from), project(from.map((value, i) => value + LENGTH * direction[i]))];
  const angle = Math.atan2(b.y - a.y, b.x - a.x);
  const head = [2.6, -2.6].map((turn) => ({
    x: b.x + 7 * Math.cos(angle + turn),
    y: b.y + 7 * Math.sin(angle + turn),
  }));
  const opacity = a.depth > 0 ? 1 : 0.3;
  return (
    line([a, b], `${style} opacity="${opacity}"`) +
    line([head[0], b, head[1]], `${style} opacity="${opacity}"`)
  );
}

const start = -0.45;
const vectors = [];
for (let i = 0; i <= ARROWS; i++) vectors.push(await carried(i));
await engine.dispose();
const last = vectors.at(-1);
const turned = Math.atan2(last[1], last[0]);
const expected = Math.atan2(
  Math.sin(-2 * Math.PI * Math.cos(COLATITUDE)),
  Math.cos(-2 * Math.PI * Math.cos(COLATITUDE)),
);
const degrees = (radians) => `${((Math.abs(radians) * 180) / Math.PI).toFixed(1)}°`;
console.log(`turned by ${degrees(turned)}; 2π cos θ modulo a full turn is ${degrees(expected)}`);

const faint = 'stroke="#8a8578" stroke-width="0.7"';
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 470" width="520" height="470" role="img" aria-label="A vector carried around a circle of latitude of a sphere comes back turned by ${degrees(turned)}">
<rect width="520" height="470" fill="#ffffff"/>
<circle cx="260" cy="215" r="190" fill="#f6f3ec" stroke="#8a8578"/>
${[30, 60, 90, 120, 150].map((theta) => curve(ring((theta * Math.PI) / 180), faint)).join('')}
${[0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330].map((phi) => curve(meridian((phi * Math.PI) / 180), faint)).join('')}
${curve(ring(COLATITUDE), 'stroke="#2b2b2b" stroke-width="1.4"')}
${vectors
  .slice(1, -1)
  .map((vector, i) =>
    arrow(start + longitude((i + 1) * STEPS_PER_ARROW), vector, 'stroke="#0072b2" stroke-width="2"'),
  )
  .join('')}
${arrow(start, vectors[0], 'stroke="#2f7a3b" stroke-width="3.5"')}
${arrow(start, last, 'stroke="#d55e00" stroke-width="3.5"')}
<g font-family="system-ui, sans-serif" font-size="14" fill="#2b2b2b"><text x="20" y="432"><tspan fill="#2f7a3b" font-weight="600">before</tspan> and <tspan fill="#d55e00" font-weight="600">after</tspan> one round at ${((COLATITUDE * 180) / Math.PI).toFixed(0)}° from the pole: turned by ${degrees(turned)},</text><text x="20" y="454">as 2π cos θ foretells. Its length is what it was.</text></g>
</svg>
`;
writeFileSync(process.argv[2] ?? 'loop.svg', svg);
