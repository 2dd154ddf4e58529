export { isLoopback } from './callers.js';
export { type LivePage, type LivePageOptions, startLivePage } from './live-page.js';
export { type RunningServer, type ServerOptions, startServer } from './server.js';
