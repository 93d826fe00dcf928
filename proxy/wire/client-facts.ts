/** What a client says of itself in its requests: HELLO … SETNAME, CLIENT SETNAME, CLIENT SETINFO. */
import type { Role } from './command.js';
import type { ClientFacts } from './operation.js';

/** The facts in one request's arguments (without the command's name), or null where it says nothing. */
export function factsOf(role: Role, args: readonly Buffer[]): ClientFacts | null {
  if (role === 'hello') {
    const clientName = nameInHello(args);
    return clientName === undefined ? null : { clientName };
  }
  if (role !== 'client') return null;
  const [subcommand, second, third] = args;
  if (word(subcommand) === 'SETNAME' && second !== undefined && args.length === 2) {
    return { clientName: second.toString() };
  }
  if (word(subcommand) !== 'SETINFO' || third === undefined || args.length !== 3) return null;
  if (word(second) === 'LIB-NAME') return { libraryName: third.toString() };
  return word(second) === 'LIB-VER' ? { libraryVersion: third.toString() } : null;
}

const word = (arg: Buffer | undefined) => arg?.toString('latin1').toUpperCase() ?? '';

/** HELLO [protover [AUTH user pass] [SETNAME name]] */
function nameInHello(args: readonly Buffer[]): string | undefined {
  let at = 1;
  while (at < args.length) {
    const option = word(args[at]);
    if (option === 'SETNAME') return args[at + 1]?.toString();
    if (option !== 'AUTH') return undefined;
    at += 3;
  }
  return undefined;
}
