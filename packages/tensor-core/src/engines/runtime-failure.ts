import { EngineError } from '@palimpsest/base';

/** Turns failures of the runtime into one sentence. */
export async function guarded<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (/bad_alloc|allocat|out of memory/i.test(message)) {
      throw new EngineError(
        `There was not enough memory to run '${name}'; use a smaller batch, a shorter sequence or a smaller model.`,
      );
    }
    throw new EngineError(`ONNX Runtime could not run '${name}': ${message}`);
  }
}
