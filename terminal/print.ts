/** Data to standard output, no faster than it is read. */

/** Waits where the reader of a pipe is slow, so that memory stays bounded. */
export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
