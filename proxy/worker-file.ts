/**
 * Where the code of a thread is. It runs compiled; from source (tests), it is the built one.
 *
 * `module`: as proxy/ has it, without its extension, such as `trace/index-aside-worker`.
 */
export function workerFile(module: string): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../dist/proxy' : '.';
  return new URL(`${folder}/${module}.js`, import.meta.url);
}
