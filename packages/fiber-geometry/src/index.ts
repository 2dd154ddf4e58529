export * from './transporter.js'; export * from './transport-plain.js'; export * from './great-circle.js'; export * from './config.js'
export * from './geodesic-solver.js';
export * from './bundle.js'; export * from './curvature.js'; export * from './manifolds/sphere.js';export * from './manifolds/poincare-ball.js';export * from './manifolds/euclidean.js';
export * from './parity/index.js';
