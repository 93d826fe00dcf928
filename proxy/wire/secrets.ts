/**
 * Which arguments of a request are secrets, and which requests may bring one back. In doubt (an option missing, an
 * unknown subcommand) more is taken for a secret than is one.
 */

/** Names of settings whose values are secrets: Redis' own, Sentinel's, and what modules call theirs. */
const SECRET_SETTINGS = [
  'requirepass',
  'masterauth',
  'masteruser',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
  'sentinel-pass',
  'sentinel-user',
  'auth-pass',
  'auth-user',
] as const;

const LOOKS_SECRET = /pass$|passw|secret|token|credential|api-?key/;

function isSecretSetting(name: string): boolean {
  return (SECRET_SETTINGS as readonly string[]).includes(name) || LOOKS_SECRET.test(name);
}

const lower = (arg: Buffer | undefined) => (arg === undefined ? '' : arg.toString('latin1').toLowerCase());

/** Indexes from `from` to the end. */
function restFrom(from: number, args: readonly Buffer[]): number[] {
  return args.map((_, index) => index).filter((index) => index >= from);
}

/** Do arguments from `from` on read as `name value name value …`, with no value that is a secret's name? */
function inPairs(from: number, args: readonly Buffer[]): boolean {
  const odd = restFrom(from, args).filter((at) => (at - from) % 2 === 1);
  return (args.length - from) % 2 === 0 && !odd.some((at) => isSecretSetting(lower(args[at])));
}

/** Values of `name value name value …` from `from` on, where the name is that of a secret. */
function secretValues(from: number, args: readonly Buffer[]): number[] {
  const names = restFrom(from, args).filter((at) => isSecretSetting(lower(args[at])));
  if (inPairs(from, args)) return names.map((at) => at + 1);
  // A value with a blank in it, perhaps. Then nothing after a secret's name is what it seems.
  const [first] = names;
  return first === undefined ? [] : restFrom(first + 1, args);
}

/** HELLO [protover [AUTH user pass] [SETNAME name]] */
function secretsOfHello(args: readonly Buffer[]): number[] {
  const found: number[] = [];
  let at = 2;
  while (at < args.length) {
    const option = lower(args[at]);
    if (option === 'auth' && at + 2 < args.length) {
      found.push(at + 1, at + 2);
      at += 3;
    } else if (option === 'setname' && at + 1 < args.length) {
      at += 2;
    } else {
      return restFrom(1, args);
    }
  }
  return args.length === 2 && !/^\d$/.test(lower(args[1])) ? [1] : found;
}

const HARMLESS_ACL = [
  'cat',
  'deluser',
  'genpass',
  'getuser',
  'help',
  'list',
  'load',
  'log',
  'save',
  'users',
  'whoami',
];

function secretsOfAcl(args: readonly Buffer[]): number[] {
  const subcommand = lower(args[1]);
  if (HARMLESS_ACL.includes(subcommand)) return [];
  // SETUSER name rule…; DRYRUN name command…
  return restFrom(subcommand === 'setuser' || subcommand === 'dryrun' ? 3 : 2, args);
}

const HARMLESS_CONFIG = ['get', 'rewrite', 'resetstat', 'help'];

function secretsOfConfig(args: readonly Buffer[]): number[] {
  const subcommand = lower(args[1]);
  if (subcommand === 'set') return secretValues(2, args);
  return HARMLESS_CONFIG.includes(subcommand) ? [] : restFrom(2, args);
}

/** MIGRATE host port key db timeout [COPY] [REPLACE] [AUTH pass] [AUTH2 user pass] [KEYS key…] */
function secretsOfMigrate(args: readonly Buffer[]): number[] {
  const found: number[] = [];
  let at = 6;
  while (at < args.length) {
    const option = lower(args[at]);
    const values = option === 'auth' ? 1 : option === 'auth2' ? 2 : 0;
    if (option === 'keys') return found;
    if (values === 0 && option !== 'copy' && option !== 'replace') return restFrom(6, args);
    if (at + values >= args.length) return restFrom(6, args);
    for (let value = 1; value <= values; value += 1) found.push(at + value);
    at += 1 + values;
  }
  return found;
}

function secretsOfSentinel(args: readonly Buffer[]): number[] {
  const subcommand = lower(args[1]);
  if (subcommand === 'set') return secretValues(3, args);
  if (subcommand === 'config' && lower(args[2]) === 'set') return secretValues(3, args);
  return [];
}

/** MODULE LOADEX path [CONFIG name value]… [ARGS arg…]: settings and arguments of a module may be anything. */
function secretsOfModule(args: readonly Buffer[]): number[] {
  return ['loadex', 'load'].includes(lower(args[1])) ? restFrom(3, args) : [];
}

/** Indexes of the arguments that are secrets. `command` is upper case; `args[0]` is its name as sent. */
export function secretArguments(command: string, args: readonly Buffer[]): number[] {
  switch (command) {
    case 'AUTH':
      return restFrom(1, args);
    case 'HELLO':
      return secretsOfHello(args);
    case 'ACL':
      return secretsOfAcl(args);
    case 'CONFIG':
      return secretsOfConfig(args);
    case 'MIGRATE':
      return secretsOfMigrate(args);
    case 'SENTINEL':
      return secretsOfSentinel(args);
    case 'MODULE':
      return secretsOfModule(args);
    default:
      return [];
  }
}

/** May the reply to this request hold a secret: because it asks for one, or because an error may quote it back? */
export function replyMayHoldSecret(command: string, args: readonly Buffer[]): boolean {
  const subcommand = lower(args[1]);
  switch (command) {
    case 'ACL':
      // `Error in ACL SETUSER modifier '<secret': …`
      return ['getuser', 'list', 'genpass', 'setuser'].includes(subcommand);
    case 'CONFIG':
      if (subcommand === 'get') return args.slice(2).some(asksForSecret);
      // `Unknown option … 'the rest of a password with a blank in it'`
      return subcommand === 'set' && !inPairs(2, args) && secretValues(2, args).length > 0;
    case 'HELLO':
      // `Syntax error in HELLO option 'secret'`
      return secretsOfHello(args).includes(1);
    case 'SENTINEL':
      return subcommand === 'config' && lower(args[2]) === 'get' && args.slice(3).some(asksForSecret);
    default:
      return false;
  }
}

function asksForSecret(pattern: Buffer): boolean {
  const text = lower(pattern);
  if (!/[*?[\\]/.test(text)) return isSecretSetting(text);
  return (
    text.length > 256 || SECRET_SETTINGS.some((name) => globMatches(text, name)) || LOOKS_SECRET.test(text)
  );
}

/** Redis' glob (util.c, stringmatchlen), over-matching: from a class in brackets on, anything will do. */
function globMatches(pattern: string, name: string): boolean {
  let at = 0;
  let named = 0;
  let star = -1;
  let starNamed = 0;
  while (named < name.length) {
    const char = pattern[at];
    if (char === '[') return true;
    if (char === '*') {
      star = at;
      starNamed = named;
      at += 1;
    } else if (char === '?' || (char !== undefined && literalAt(pattern, at) === name[named])) {
      at += char === '\\' && at + 1 < pattern.length ? 2 : 1;
      named += 1;
    } else if (star >= 0) {
      at = star + 1;
      starNamed += 1;
      named = starNamed;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}

function literalAt(pattern: string, at: number): string | undefined {
  return pattern[at] === '\\' && at + 1 < pattern.length ? pattern[at + 1] : pattern[at];
}
