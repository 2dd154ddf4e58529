import { learn } from './learn.js';

self.onmessage = async ({ data: { engine, options } }) => {
  const result = await learn(engine, options).catch((error) => ({
    error: error.message,
  }));
  self.postMessage(result);
};
