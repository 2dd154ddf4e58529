export * from './accumulate.js';
export * from './adamw.js';
export * from './averaged.js';
export * from './clip.js';
export * from './schedule.js';
export * from './schedule-free.js';
export * from './sgd.js';
