import { InputError } from '@palimpsest/base';

/** A request that is refused, in the shape that OpenAI's clients read. */
export class ApiError extends Error {
  /**
   * @param status HTTP status
   * @param code stable, for programs
   * @param param the field of the request that is wrong
   */
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null = null,
  ) {
    super(message);
  }
}

/** Why nothing is begun any more. */
export const shuttingDown = (): ApiError =>
  new ApiError(503, 'shutting_down', 'The server is shutting down; ask again when it is back.');

/** What is sent for an error. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string;
  };
}

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  429: 'rate_limit_error',
};

/** Status and body for anything that went wrong; what is not the client's fault tells no details. */
export function describeError(error: unknown): { readonly status: number; readonly body: ErrorBody } {
  const known = asApiError(error);
  const type = TYPES[known.status] ?? (known.status < 500 ? 'invalid_request_error' : 'server_error');
  const { status, code, param, message } = known;
  return { status, body: { error: { message, type, param, code } } };
}

/** Whether an error is the server's own fault, which its log should tell. */
export function isInternal(error: unknown): boolean {
  const { status } = asApiError(error);
  return status >= 500 && status !== 503;
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof InputError) return new ApiError(400, 'invalid_request', error.message);
  // The framework's own refusals: a body that is no JSON, too large, of another type.
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : 'invalid_request';
    if (error.statusCode < 500) return new ApiError(error.statusCode, code, error.message);
  }
  return new ApiError(500, 'internal_error', 'The server failed to answer; its log says why.');
}
