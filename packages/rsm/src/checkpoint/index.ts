export {
  type HostParams,
  type ReferenceFile,
  readReferenceFile,
  type WriteReferenceOptions,
  writeReferenceFile,
} from './reference-file.js';
export { fromReferenceConfig, toReferenceConfig } from './reference-options.js';
