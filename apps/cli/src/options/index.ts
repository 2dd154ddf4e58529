export { type Aliases, type Field, fieldsOf, type OptionSchema } from './fields.js';
export { resolveOptions, type Values } from './resolve.js';
export { normaliseSpellings } from './spellings.js';
