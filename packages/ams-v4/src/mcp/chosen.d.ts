// The choice itself is in the package's "imports".
declare module '#mcp' {
  export const serveHttp: typeof import('./serve.js').serveHttp;
  export const serveStdio: typeof import('./serve.js').serveStdio;
}
