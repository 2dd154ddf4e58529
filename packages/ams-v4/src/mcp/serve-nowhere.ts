import { InputError } from '@palimpsest/base';

// In place of `serve.ts` outside of Node.js, so that a bundler for browsers meets no server.
const refuse = async (): Promise<never> => {
  throw new InputError('A memory is served by Node.js alone.');
};

export const serveHttp: typeof import('./serve.js').serveHttp = refuse;
export const serveStdio: typeof import('./serve.js').serveStdio = refuse;
