export { type Alignment, textTable } from '@palimpsest/base';
