export { isLoopback } from './callers.js';
export { type RunningServer, type ServerOptions, startServer } from './server.js';
