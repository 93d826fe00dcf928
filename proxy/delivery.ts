/**
 * Resets a client, but not before it has been given what was read from Redis for it.
 *
 * A reset makes our kernel throw away what it has not sent yet, and that can be megabytes for a client that reads
 * slowly: replies that Redis' kernel had sent, acknowledged and done with. Without a proxy the client would have got
 * them. Linux says in /proc/net/tcp how many bytes of a connection its peer has not acknowledged; where there is no
 * such file, handed to the kernel has to do.
 */
import { readFile } from 'node:fs/promises';

/** What is needed of a net.Socket. */
export interface Resettable {
  readonly destroyed: boolean;
  readonly writableLength: number;
  readonly localPort?: number | undefined;
  readonly remotePort?: number | undefined;
  resetAndDestroy(): unknown;
}

const BETWEEN_MS = 20;
/** A client that has not taken its last bytes by then is reset all the same. */
const PATIENCE_MS = 30_000;

export class ResetsAfterDelivery {
  readonly #waiting = new Map<Resettable, number>();
  readonly #read: () => Promise<string>;
  #checking = false;

  /** `readTable` gives the lines of /proc/net/tcp and tcp6, or '' where there is none. */
  constructor(readTable: () => Promise<string> = readConnections) {
    this.#read = readTable;
  }

  reset(socket: Resettable): void {
    if (socket.destroyed) return;
    this.#waiting.set(socket, Date.now() + PATIENCE_MS);
    if (this.#checking) return;
    this.#checking = true;
    void this.#check();
  }

  async #check(): Promise<void> {
    while (this.#waiting.size > 0) {
      const unacknowledged = parseUnacknowledged(await this.#read());
      for (const [socket, untilMs] of this.#waiting) {
        const key = pairOf(socket.localPort ?? 0, socket.remotePort ?? 0);
        const delivered = socket.writableLength === 0 && (unacknowledged.get(key) ?? 0) === 0;
        if (!delivered && !socket.destroyed && Date.now() < untilMs) continue;
        this.#waiting.delete(socket);
        if (!socket.destroyed) socket.resetAndDestroy();
      }
      if (this.#waiting.size > 0) await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS).unref());
    }
    this.#checking = false;
  }
}

/**
 * Bytes sent and not acknowledged, for each pair of ports, from lines such as
 * `0: 0100007F:18EC 0100007F:A3B2 01 000003E8:00000000 …` (local, remote, state, send queue:receive queue, all hexadecimal).
 * Where two connections have the same ports on other addresses, the one that has more.
 */
export function parseUnacknowledged(table: string): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const match of table.matchAll(
    /^ *\d+: [\dA-F]+:([\dA-F]{4}) [\dA-F]+:([\dA-F]{4}) [\dA-F]{2} ([\dA-F]{8}):/gm,
  )) {
    const key = pairOf(Number.parseInt(match[1] ?? '', 16), Number.parseInt(match[2] ?? '', 16));
    bytes.set(key, Math.max(bytes.get(key) ?? 0, Number.parseInt(match[3] ?? '', 16)));
  }
  return bytes;
}

function pairOf(localPort: number, remotePort: number): string {
  return `${localPort} ${remotePort}`;
}

async function readConnections(): Promise<string> {
  const files = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFile(path, 'latin1').catch(() => ''));
  return (await Promise.all(files)).join('\n');
}
