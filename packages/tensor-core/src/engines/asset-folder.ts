import { platform } from '#platform';

/** The address of a folder, with the slash at its end; relative ones are those of the page, in Node.js of the working folder. */
export function assetFolder(assets: string | URL): string {
  const address = new URL(assets, platform.baseAddress()).href;
  return address.endsWith('/') ? address : `${address}/`;
}
