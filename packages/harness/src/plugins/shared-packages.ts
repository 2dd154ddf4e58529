import * as nodeModule from 'node:module';

/** Packages of which a process may hold only one copy: engines and schemas know their own kind by identity. */
const SHARED = /^(@palimpsest\/|zod$)/;

let shared = false;

/**
 * From now on `import '@palimpsest/...'` and `import 'zod'` mean the copies that this program runs with, from whichever
 * folder: a plugin needs no installation of its own, and never brings a second engine.
 */
export function shareOwnPackages(): void {
  if (shared) return;
  shared = true;
  const parentURL = import.meta.url;
  const { registerHooks } = nodeModule as {
    registerHooks?: (hooks: { resolve: typeof resolveShared }) => void;
  };
  if (registerHooks) registerHooks({ resolve: resolveShared });
  else nodeModule.register(HOOKS_THREAD, parentURL, { data: { parentURL } });

  // Node runs these in the thread that imports.
  function resolveShared<C extends object, R>(
    specifier: string,
    context: C,
    next: (name: string, context: C) => R,
  ): R {
    if (!SHARED.test(specifier)) return next(specifier, context);
    try {
      return next(specifier, { ...context, parentURL });
    } catch {
      // Not one that this program has: the plugin's own.
      return next(specifier, context);
    }
  }
}

/** The same for versions of Node that run hooks in a thread of their own, which sees nothing of this module. */
const HOOKS_THREAD = `data:text/javascript,${encodeURIComponent(`
let parentURL;
export function initialize(data) { ({ parentURL } = data); }
export async function resolve(specifier, context, next) {
  if (!${SHARED}.test(specifier)) return next(specifier, context);
  try { return await next(specifier, { ...context, parentURL }); }
  catch { return next(specifier, context); }
}
`)}`;
