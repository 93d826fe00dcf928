/** The recorder's worker as a thread: where its code is, how it starts, and what its failures are called. */
import { Worker } from 'node:worker_threads';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import type { FromWorker, WorkerStart } from './recorder-messages.js';
import { workerFile } from './worker-file.js';

/** What indexing leaves lives for a moment only. Left to itself V8 gives it 48 MB, and is no faster for it. */
const YOUNG_MB = 12;

/** Starts the worker and waits until it has made the trace; rejects with what it says where it could not. */
export async function startWorker(start: WorkerStart): Promise<Worker> {
  const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB };
  const worker = new Worker(workerFile('recorder-worker'), { workerData: start, resourceLimits });
  await ready(worker);
  return worker;
}

/** Waits for the worker to have made the trace; rejects with what it says where it could not. */
function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromWorker): void => {
      if (message.type === 'failed') settle(() => reject(new GaptraceError(message.code, message.message)));
      else settle(resolve);
    };
    const onError = (error: unknown): void => settle(() => reject(workerDied(messageOf(error))));
    const onExit = (status: number): void => settle(() => reject(workerDied(`exit status ${status}`)));
    // Only our own listeners: a Worker has some of its own, without which it hears nothing any more.
    const settle = (outcome: () => void): void => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      outcome();
    };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  });
}

export function workerDied(how: string): GaptraceError {
  return recordingFailed('GAPTRACE_RECORDER_DIED', `the recorder's worker died: ${how}`);
}

/** Recording is over, and traffic is not: exit status 1, as nothing was wrong with how gaptrace was called. */
export function recordingFailed(code: GaptraceError['code'], message: string): GaptraceError {
  return new GaptraceError(code, message, { exitStatus: 1 });
}
