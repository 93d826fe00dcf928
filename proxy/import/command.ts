/** `gaptrace import`: flags into options, and what a person sees while it runs and when it is done. */
import type { Command } from 'commander';
import { formatDuration } from '../../terminal/duration.js';
import { unlessInterrupted } from '../../terminal/interrupted.js';
import { count } from '../../terminal/number.js';
import { ProgressLine } from '../../terminal/progress.js';
import { VERSION } from '../../terminal/version.js';
import { importCapture } from './import.js';

export function registerImport(program: Command): void {
  program
    .command('import')
    .summary('turn a recorded capture into a trace')
    .description(
      'Turns a recorded capture (redis-wire-capture/1, plain or gzip) into a trace, through the same code as live traffic.',
    )
    .argument('<file>', 'the capture; - is standard input')
    .requiredOption('--trace <path>', 'the trace to write; it must not exist')
    .addHelpText('after', '\nExample:\n  gaptrace import examples/resp2.capture.jsonl.gz --trace resp2.db')
    .action(async (file: string, options: { trace: string }) => {
      await run(file, options.trace);
    });
}

async function run(file: string, trace: string): Promise<void> {
  const progress = new ProgressLine();
  const summary = await unlessInterrupted('no trace was written', async (signal) => {
    try {
      return await importCapture({
        file,
        trace,
        meta: { gaptrace_version: VERSION },
        signal,
        onProgress: ({ lines, atUs }) =>
          progress.update(() => `importing: ${lines} lines, ${formatDuration(atUs)} of traffic`),
      });
    } finally {
      progress.clear();
    }
  });
  const { connections, operations, pushes, holes, durationUs } = summary;
  process.stdout.write(
    `${trace}: ${count(connections, 'connection')}, ${count(operations, 'operation')}, ` +
      `${count(pushes, 'push', 'es')}, ${count(holes, 'hole')}, ${formatDuration(durationUs)}\n`,
  );
}
