// The choice itself is in the package's "imports"; a path in tsconfig.json would decide it for every bundler that reads that.
declare module '#platform' {
  export const platform: import('./platform.js').Platform;
}
