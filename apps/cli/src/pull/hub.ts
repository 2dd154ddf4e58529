import { InputError } from '@palimpsest/tensor-core';

/** Where models are pulled from. */
export interface HubPlace {
  /** `owner/name` */
  readonly repo: string;
  /** Branch, tag or commit. */
  readonly revision: string;
  /** Address of the hub. */
  readonly endpoint: string;
  readonly token: string | undefined;
}

/** A file of a repository, with what its content has to be. */
export interface HubFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly checksum: Checksum;
}

/** SHA-256 of large files; of others the name that git gives to the content, a SHA-1 behind its length. */
export interface Checksum {
  readonly algorithm: 'sha256' | 'git';
  readonly hex: string;
}

const HUB = 'https://huggingface.co';

/** @throws InputError for what is no name of a repository or no address. */
export function hubPlace(repo: string, revision: string, endpoint: string | undefined): HubPlace {
  if (!/^[\w.-]+\/[\w.-]+$/.test(repo) || /(^|\/)\.+(\/|$)/.test(repo)) {
    throw new InputError(
      `'${repo}' is no name of a model; names are OWNER/NAME, as HuggingFaceTB/SmolLM2-135M.`,
    );
  }
  const address = endpoint ?? (process.env.HF_ENDPOINT || HUB);
  if (!URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol)) {
    throw new InputError(`'${address}' is no address of a hub, which begins with https:// or http://.`);
  }
  return {
    repo,
    revision,
    endpoint: address.replace(/\/+$/, ''),
    token: process.env.HF_TOKEN || undefined,
  };
}

/** Where a file of a repository is fetched. */
export const fileUrl = ({ endpoint, repo, revision }: HubPlace, { path }: HubFile): string =>
  `${endpoint}/${repo}/resolve/${encodeURIComponent(revision)}/${encodeURIComponent(path)}`;

/** Headers of every request. */
export const authorization = ({ token }: HubPlace): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

/**
 * The files at the top of a repository.
 * @throws InputError when there is no such repository, it is not open to the caller, or the library is not installed.
 */
export async function listHubFiles(place: HubPlace, signal: AbortSignal): Promise<HubFile[]> {
  const { listFiles } = await hubLibrary();
  const { repo, revision, endpoint } = place;
  const files: HubFile[] = [];
  const entries = listFiles({
    repo: { type: 'model', name: repo },
    revision: encodeURIComponent(revision),
    hubUrl: endpoint,
    // The library takes tokens of one form alone, so that other hubs' ones go by the header; a list may go on at an address
    // that the hub names, and the token is for the hub alone.
    fetch: (input, init) =>
      fetch(input, { ...init, headers: isAt(place, input) ? authorization(place) : {}, signal }),
  });
  try {
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type !== 'file' || !isPlainName(path)) continue;
      const checksum: Checksum = lfs
        ? { algorithm: 'sha256', hex: lfs.oid.replace(/^sha256:/, '') }
        : { algorithm: 'git', hex: oid ?? '' };
      files.push(checked({ path, size: lfs?.size ?? size, checksum }, place));
    }
  } catch (error) {
    if (signal.aborted || error instanceof InputError) throw error;
    const status = (error as { readonly statusCode?: number }).statusCode;
    throw new InputError(
      status === undefined ? `${endpoint} cannot be reached: ${reasonOf(error)}.` : refusal(status, place),
    );
  }
  return files;
}

/** Whether an address is of the hub itself. */
const isAt = ({ endpoint }: HubPlace, input: Parameters<typeof fetch>[0]) =>
  new URL(input instanceof Request ? input.url : input).origin === new URL(endpoint).origin;

/** Whether a file of that name lies in the folder that it is put into, on every system. */
const isPlainName = (path: string) => !/^\.+$|[/\\:\p{Cc}]/u.test(path);

/** @throws InputError for a file whose content cannot be checked. */
function checked(file: HubFile, { endpoint }: HubPlace): HubFile {
  const { algorithm, hex } = file.checksum;
  const digits = algorithm === 'sha256' ? 64 : 40;
  if (Number.isSafeInteger(file.size) && file.size >= 0 && new RegExp(`^[0-9a-f]{${digits}}$`).test(hex))
    return file;
  throw new InputError(
    `${endpoint} states no size or no checksum of ${file.path} that can be, so nothing of it is fetched.`,
  );
}

/** Why a hub does not give what was asked for. */
export function refusal(status: number, { repo, revision, endpoint, token }: HubPlace): string {
  if (status === 401 || status === 403) {
    const remedy =
      token === undefined
        ? 'give a token of yours by the environment variable HF_TOKEN'
        : 'the token in HF_TOKEN does not suffice';
    return `${endpoint} does not open '${repo}' to everybody: accept its terms there if it has some, and ${remedy}.`;
  }
  if (status === 404) return `${endpoint} has no model '${repo}' with the revision '${revision}'.`;
  return `${endpoint} answers with status ${status} when asked for '${repo}'; try again later.`;
}

/** What went wrong with a request. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  const inner = cause instanceof Error ? cause.message || (cause as { code?: string }).code : undefined;
  return (inner || message).replace(/\.$/, '');
}

async function hubLibrary(): Promise<typeof import('@huggingface/hub')> {
  try {
    return await import('@huggingface/hub');
  } catch {
    throw new InputError('Pulling models needs one more package: npm install @huggingface/hub@2.17.');
  }
}
