export * from './inspect-text.js';
