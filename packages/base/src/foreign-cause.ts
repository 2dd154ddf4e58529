/** How many bytes of a file `foreignCause` wants to see. */
export const FIRST_BYTES = 512;

/**
 * What a file is when it is not what its name says, as a predicate with what to do about it; nothing when it is none of
 * those that downloads leave behind.
 * @param start the first bytes of the file, up to 512.
 */
export function foreignCause(start: Uint8Array): string | undefined {
  const text = new TextDecoder('latin1').decode(start.subarray(0, FIRST_BYTES));
  if (text === '') return 'is empty; download it again';
  if (text.startsWith('version https://git-lfs')) {
    const size = /^size (\d+)$/m.exec(text)?.[1];
    const what = size === undefined ? 'the file' : `the file of ${size} bytes`;
    return `is a pointer of Git LFS, not ${what} itself; fetch it with 'git lfs pull', or download it again`;
  }
  // Eight bytes of a safetensors file are a length: no page begins like one.
  if (/^\s*<(!doctype|html|head|\?xml|!--)/i.test(text.replace(/^\xef\xbb\xbf/, ''))) {
    const title = /<title>([^<]{1,80})/i.exec(text)?.[1]?.trim();
    return `is a web page${title ? ` ('${title}')` : ''}, not the file itself; download it again`;
  }
  return undefined;
}
