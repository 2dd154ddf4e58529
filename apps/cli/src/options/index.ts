export { type Field, type FlagMeta, fieldsOf, type OptionSchema } from './fields.js';
export { type OptionSources, resolveOptions, type Values } from './resolve.js';
export { normaliseSpellings } from './spellings.js';
