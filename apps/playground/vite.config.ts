import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { defineConfig } from 'vite';

const models = createRequire(import.meta.url).resolve('@palimpsest/models');

export default defineConfig({
  // Any folder of any server.
  base: './',
  // The shipped models, beside the page.
  publicDir: join(dirname(models), '..', 'checkpoints'),
  worker: { format: 'es' },
  build: { target: 'es2022', chunkSizeWarningLimit: 3000 },
});
