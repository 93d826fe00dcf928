/**
 * A second thread that works for this one, which waits for what it says as it waits for the disk: without an event loop. For work that is begun in the
 * middle of a call that returns its result.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { workerFile } from '../worker-file.js';

/** What a thread needs to speak; in its `workerData`, with what else it is started with. */
export interface Speaking {
  readonly port: MessagePort;
  /** Counts what it has said, so that it can be waited for. */
  readonly said: Int32Array;
}

/** `To`: what it is told; `From`: what it says. */
export class OtherThread<To, From> {
  readonly #port: MessagePort;
  readonly #said = new Int32Array(new SharedArrayBuffer(4));

  /** `module`: its code, as `workerFile` takes it. */
  constructor(module: string, start: object) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    const speaking: Speaking = { port: port2, said: this.#said };
    const worker = new Worker(workerFile(module), {
      workerData: { ...start, ...speaking },
      transferList: [port2],
    });
    // Nobody waits for its end; and if it cannot start, it will be silent.
    worker.unref();
    worker.on('error', () => {});
  }

  tell(message: To, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  /** Waits for the next that it says; undefined where nothing came. */
  hear(withinMs: number): From | undefined {
    for (;;) {
      const said = Atomics.load(this.#said, 0);
      const received = receiveMessageOnPort(this.#port);
      if (received !== undefined) return received.message as From;
      if (Atomics.wait(this.#said, 0, said, withinMs) === 'timed-out') return undefined;
    }
  }

  /** Its port says `close`. */
  close(): void {
    this.#port.close();
  }
}

/** To be called by the other thread. */
export function say({ port, said }: Speaking, message: unknown, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, [...transfer]);
  Atomics.add(said, 0, 1);
  Atomics.notify(said, 0);
}
