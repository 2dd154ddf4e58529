import { learn } from './learn.js';

const inWorker = (engine, options) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ engine, options });
  });

globalThis.learn = (...choice) => learn(...choice).catch((error) => ({ error: error.message }));
globalThis.learnInWorker = inWorker;
