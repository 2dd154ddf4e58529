import { join } from 'node:path';
import { emptyFolder, type Finished, palimpsest } from './cli.js';

export interface LiveRun {
  readonly folder: string;
  /** Address of the page, as the command prints it. */
  readonly address: Promise<string>;
  readonly finished: Promise<Finished>;
}

/** Trains with a live page. @param browser program that takes the part of the browser */
export function liveRun(flags: readonly string[], browser: string): LiveRun {
  const folder = join(emptyFolder(), 'run');
  let finished!: Promise<Finished>;
  const address = new Promise<string>((resolve, reject) => {
    finished = palimpsest(['train', ...flags, '--open', '--out', folder], {
      env: { BROWSER: browser, DISPLAY: '', WAYLAND_DISPLAY: '' },
      onStart(child) {
        let said = '';
        child.stderr.on('data', (text: string) => {
          said += text;
          const [, url] = /^live page: (http:\S+) /m.exec(said) ?? [];
          if (url !== undefined) resolve(url);
        });
        child.once('close', () => reject(new Error(`no page: ${said}`)));
      },
    });
  });
  return { folder, address, finished };
}
