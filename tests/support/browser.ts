import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import softwareGraphics from './software-graphics.json' with { type: 'json' };

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What computes pictures and WebGPU: nothing, or a processor that does as a graphics card would. */
const GRAPHICS = {
  none: ['--disable-gpu'],
  software: softwareGraphics,
};

/** The system's Chromium without a window and with a profile of its own that is thrown away. */
export function openBrowser(graphics: keyof typeof GRAPHICS = 'none'): Promise<Browser> {
  const args = [...FLAGS, ...GRAPHICS[graphics]];
  return chromium.launch({ executablePath: findProgram(), headless: true, args });
}

function findProgram(): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const paths = PROGRAMS.flatMap((program) => folders.map((folder) => join(folder, program)));
  const found = paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (found) return found;
  throw new Error(`None of ${PROGRAMS.join(', ')} is on PATH.`);
}
