import { constants, openSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { requireRegularFile, systemReason } from '@palimpsest/base';
import { decodeText } from '@palimpsest/lm';
import { InputError } from '@palimpsest/tensor-core';

/**
 * The prompt of a verb: the text of `--prompt`, or that of `--prompt-path`: a file, a pipe, or '-' for standard input. Pipes
 * are streamed, so that Ctrl-C is heard while they are silent.
 * @throws InputError for both at once, for what cannot be read, and for text that is not UTF-8.
 */
export async function promptOf(
  { prompt, promptPath }: { readonly prompt?: string; readonly promptPath?: string },
  asked: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<string> {
  if (promptPath === undefined) return prompt ?? '';
  if (asked.has('prompt')) {
    throw new InputError('Give one prompt, but both --prompt and --prompt-path were given.');
  }
  const what = `The prompt '${promptPath}' (--prompt-path)`;
  return decodeText(await whole(promptPath, what, signal), what);
}

async function whole(path: string, what: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    return await bytesOf(path, signal);
  } catch (error) {
    if (signal.aborted || error instanceof InputError) throw error;
    throw new InputError(`${what} cannot be read: ${systemReason(error)}.`);
  }
}

async function bytesOf(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const stream = path === '-' ? process.stdin : pipeAt(path);
  if (!stream) {
    requireRegularFile(path);
    return readFile(path, { signal });
  }
  const stop = () => stream.destroy(new DOMException('The reading was ended.', 'AbortError'));
  signal.addEventListener('abort', stop, { once: true });
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}

/** The stream of a named pipe. It is opened without waiting for a writer, which no signal could end. */
function pipeAt(path: string): Socket | undefined {
  if (!statSync(path).isFIFO()) return undefined;
  return new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
}
