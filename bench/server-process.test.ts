import { expect, test } from 'vitest';
import { ServerProcess } from './server-process.js';

const node = (script: string) => ({
  name: 'a server',
  command: process.execPath,
  args: (port: number) => ['-e', script, String(port)],
});
const SERVER =
  'require("net").createServer((socket) => socket.resume()).listen(process.argv[1], "127.0.0.1")';

test('starts on a free port, tells its cost, and ends on SIGTERM', async () => {
  const [one, other] = await Promise.all([
    ServerProcess.start(node(SERVER)),
    ServerProcess.start(node(SERVER)),
  ]);
  expect(one.port).not.toBe(other.port);
  expect(one.cost().peakRssBytes).toBeGreaterThan(1024 * 1024);
  const stopped = await one.stop();
  expect(stopped.cost.peakRssBytes).toBeGreaterThan(1024 * 1024);
  expect(() => one.cost()).toThrow('a server has ended early');
  await other.stop();
});

test('a server that does not come up: what it printed', async () => {
  await expect(ServerProcess.start(node('console.error("no room"); process.exit(3)'))).rejects.toThrow(
    'a server did not start:\nno room\n',
  );
});

test('a program that is not installed', async () => {
  const missing = { name: 'nothing', command: 'gaptrace-no-such-program', args: () => [] };
  await expect(ServerProcess.start(missing)).rejects.toThrow(/ENOENT.*is it installed\?/);
});

test('an end with an error is one', async () => {
  const server = await ServerProcess.start(
    node(`${SERVER}; process.on("SIGTERM", () => { console.log("disk full"); process.exit(1) })`),
  );
  await expect(server.stop()).rejects.toThrow('a server ended with 1. It printed:\ndisk full\n');
});
