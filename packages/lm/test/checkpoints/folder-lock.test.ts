import fs from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '@palimpsest/tensor-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FolderLock } from '../../src/index.js';

const options = { file: 'own.lock', use: 'is in use', advice: 'wait' };
const claim = (folder: string) => FolderLock.claim(folder, options);
const scratch: string[] = [];
function newFolder(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'palimpsest-lock-'));
  scratch.push(folder);
  return folder;
}
afterEach(() => {
  vi.restoreAllMocks();
  for (const folder of scratch.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
});
const failure = (code: string) => Object.assign(new Error(code), { code });
/** A lock that a process left, or has. */
function leave(folder: string, pid: number, processStart: string): string {
  const path = join(folder, options.file);
  const since = new Date().toISOString();
  const owner = { token: 'theirs', process: pid, processStart, host: hostname(), since };
  fs.writeFileSync(path, JSON.stringify(owner));
  return path;
}
/** No process has this number: it is beyond the largest that Linux gives. */
const NOBODY = 2 ** 22 + 1;

describe('a lock of a folder', () => {
  it.each(['EPERM', 'ENOTSUP', 'EACCES', 'EINVAL', 'EISDIR'])('works without hard links: %s', (code) => {
    const folder = newFolder();
    vi.spyOn(fs, 'linkSync').mockImplementation(() => {
      throw failure(code);
    });
    const lock = claim(folder);
    expect(() => claim(folder)).toThrow(`is in use by process ${process.pid}`);
    lock.release();
    leave(folder, NOBODY, '1');
    claim(folder).release();
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('gives a lock back that it took for the one that was left, also without hard links', () => {
    const folder = newFolder();
    const path = leave(folder, NOBODY, '1');
    vi.spyOn(fs, 'linkSync').mockImplementation(() => {
      throw failure(fs.existsSync(path) ? 'EEXIST' : 'EPERM');
    });
    const rename = fs.renameSync;
    let theirs: FolderLock | undefined;
    vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
      // Another process is a moment faster.
      if (theirs === undefined) {
        fs.rmSync(path);
        theirs = claim(folder);
      }
      rename(from, to);
    });
    expect(() => claim(folder)).toThrow(`is in use by process ${process.pid}`);
    expect(JSON.parse(fs.readFileSync(path, 'utf8'))).toEqual(theirs!.owner);
    theirs!.release();
    expect(fs.readdirSync(folder)).toEqual([]);
  });

  it('waits for the contents of one that was made just now', () => {
    const folder = newFolder();
    const path = join(folder, options.file);
    fs.writeFileSync(path, '');
    const read = fs.readFileSync;
    let looks = 0;
    vi.spyOn(fs, 'readFileSync').mockImplementation((...asked: Parameters<typeof read>) => {
      looks += asked[0] === path ? 1 : 0;
      if (looks === 3) leave(folder, process.ppid, '');
      return asked[0] === `/proc/${process.ppid}/stat` ? `1 (x) S${' 0'.repeat(18)} ` : read(...asked);
    });
    expect(() => claim(folder)).toThrow(`is in use by process ${process.ppid}`);
  });

  it('takes one over that has no contents for long', () => {
    const folder = newFolder();
    const path = join(folder, options.file);
    fs.writeFileSync(path, 'torn');
    const old = new Date(Date.now() - 10_000);
    fs.utimesSync(path, old, old);
    const start = performance.now();
    claim(folder).release();
    expect(performance.now() - start).toBeLessThan(1000);
    // A time to come, as of a machine whose clock is fast, keeps nobody waiting for ever.
    fs.writeFileSync(path, 'torn');
    const future = new Date(Date.now() + 1500);
    fs.utimesSync(path, future, future);
    claim(folder).release();
    expect(performance.now() - start).toBeLessThan(6000);
  });

  it('that cannot be read or removed is named in one sentence', () => {
    const folder = newFolder();
    const path = join(folder, options.file);
    fs.mkdirSync(path);
    expect(() => claim(folder)).toThrow(InputError);
    expect(() => claim(folder)).toThrow(/^The lock '.*own\.lock' cannot be read: [^:]*; see who has it\.$/);
    fs.rmdirSync(path);
    leave(folder, NOBODY, '1');
    vi.spyOn(fs, 'renameSync').mockImplementation(() => {
      throw failure('EACCES');
    });
    expect(() => claim(folder)).toThrow(InputError);
    expect(() => claim(folder)).toThrow(
      /own\.lock' was left behind and cannot be removed: [^:]*; remove it\.$/,
    );
    expect(fs.readdirSync(folder)).toEqual([options.file]);
  });

  it('that cannot be read any more is given back without an error', () => {
    const folder = newFolder();
    const lock = claim(folder);
    fs.rmSync(lock.path);
    fs.mkdirSync(lock.path);
    lock.release();
    expect(fs.readdirSync(folder)).toEqual([options.file]);
  });
});

describe('the owner of a lock', () => {
  const hide = (pid: number) => {
    const read = fs.readFileSync;
    vi.spyOn(fs, 'readFileSync').mockImplementation((...asked: Parameters<typeof read>) => {
      if (asked[0] === `/proc/${pid}/stat`) throw failure('ENOENT');
      return read(...asked);
    });
  };

  it('has it when the system hides its processes from others, unless it is silent for long', () => {
    const folder = newFolder();
    const path = leave(folder, process.ppid, '12345');
    hide(process.ppid);
    expect(() => claim(folder)).toThrow(`is in use by process ${process.ppid}`);
    vi.spyOn(process, 'kill').mockImplementation(() => {
      throw failure('EPERM');
    });
    expect(() => claim(folder)).toThrow(`is in use by process ${process.ppid}`);
    const old = new Date(Date.now() - 20 * 60_000);
    fs.utimesSync(path, old, old);
    claim(folder).release();
  });

  it('is gone when there is no such process, and when another one has its number', () => {
    const folder = newFolder();
    leave(folder, NOBODY, '1');
    claim(folder).release();
    leave(folder, process.ppid, 'long ago');
    claim(folder).release();
    expect(fs.readdirSync(folder)).toEqual([]);
  });
});
