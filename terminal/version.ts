/** The version of this gaptrace, from the package.json above this file (it runs from source and from dist/). */
import { readFileSync } from 'node:fs';

export const VERSION = versionAbove(new URL('.', import.meta.url));

function versionAbove(folder: URL): string {
  const text = readIfThere(new URL('package.json', folder));
  if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  const above = new URL('..', folder);
  return above.href === folder.href ? 'unknown' : versionAbove(above);
}

function readIfThere(file: URL): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
