import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createLayer } from './create.js';
import { redisHosts } from './hosts.js';
import type { LayerConfig } from './layer.js';
import { layerSettings } from './options.js';

describe('capacity', () => {
  it('is 100 where not told', () => {
    expect(layerSettings({}).capacityOf('any')).toBe(100);
  });

  it('is that of the first pattern that matches the whole name', () => {
    const { capacityOf } = layerSettings({
      capacity: 9,
      channelCapacity: [
        ['http.request', 1],
        ['http.response!*', 2],
        [/^websocket\.(send|close)!.+/, 3],
        ['web*', 4],
      ],
    });
    const names = [
      'http.request',
      'http.request2',
      'xhttp.request',
      'http.response!a',
      'http.response',
      'websocket.send!a',
    ];
    expect(names.map(capacityOf)).toEqual([1, 9, 9, 2, 9, 3]);
    expect(capacityOf('websocket.receive')).toBe(4);
  });

  it('a RegExp matches where the name begins, and may end before it does', () => {
    const { capacityOf } = layerSettings({ capacity: 9, channelCapacity: [[/b+/g, 1]] });
    expect(['bbc', 'abb', 'bbc'].map(capacityOf)).toEqual([1, 9, 1]);
  });

  it('reads a glob as Python does', () => {
    const globs = [
      '*',
      'a*',
      '?b',
      '[ab]c',
      '[!ab]c',
      'a[',
      'a[]',
      '[]]',
      '[!]]',
      'a.c',
      '[a-c]x',
      '[^a]',
      'a{1}',
      '[a\\]x',
      '[[]',
      '',
    ];
    const names = [
      'a',
      'ab',
      'b',
      'bb',
      'ac',
      'cc',
      'a[',
      'a[]',
      ']',
      'a.c',
      'abc',
      'bx',
      '-',
      '^',
      'a{1}',
      '[',
      '\\x',
      '',
    ];
    const program =
      'import fnmatch, json, sys\nglobs, names = json.load(sys.stdin)\nprint(json.dumps([[fnmatch.fnmatchcase(n, g) for n in names] for g in globs]))';
    const expected = JSON.parse(
      execFileSync('/usr/bin/python3', ['-c', program], {
        input: JSON.stringify([globs, names]),
        encoding: 'utf8',
      }),
    );
    const actual = globs.map((glob) => {
      const { capacityOf } = layerSettings({ capacity: 9, channelCapacity: [[glob, 1]] });
      return names.map((name) => capacityOf(name) === 1);
    });
    expect(Object.fromEntries(globs.map((glob, i) => [glob, actual[i]]))).toEqual(
      Object.fromEntries(globs.map((glob, i) => [glob, expected[i]])),
    );
  });
});

describe('options that make no sense', () => {
  it.each<[string, object, RegExp]>([
    [
      'a capacity of 0',
      { capacity: 0 },
      /^channel layer: capacity is 0; it takes a whole number of messages, 1 or more$/,
    ],
    ['half a message', { capacity: 1.5 }, /capacity is 1\.5/],
    ['no number', { capacity: '100' }, /capacity is "100"/],
    ['an expiry of nothing', { expiry: Number.NaN }, /expiry is NaN.* seconds/],
    ['an expiry for ever', { expiry: Number.POSITIVE_INFINITY }, /expiry is Infinity/],
    ['a negative group expiry', { groupExpiry: -1 }, /groupExpiry is -1/],
    ['a capacity of 0 for a pattern', { channelCapacity: [['a*', 0]] }, /channelCapacity of a\* is 0/],
    ['a pattern that is none', { channelCapacity: [[7, 1]] }, /channelCapacity is 7/],
    ['an empty prefix', { prefix: '' }, /prefix is ""/],
    ['a prefix with a space', { prefix: 'a b' }, /prefix is "a b"/],
  ])('%s', (_, options, message) => {
    for (const layer of ['redis', 'pubsub', 'memory'])
      expect(() => createLayer({ layer, ...options } as LayerConfig)).toThrow(
        expect.objectContaining({ code: 'GAPTRACE_LAYER_OPTION', message: expect.stringMatching(message) }),
      );
  });

  it.each<[string, object, RegExp]>([
    ['no host', { hosts: [] }, /hosts is/],
    ['a host that is no URL', { hosts: ['localhost:6379'] }, /"localhost:" is none of these/],
    ['another scheme', { hosts: ['http://localhost'] }, /"http:" is none of these/],
    [
      'a database that is no number',
      { hosts: ['redis://localhost/first'] },
      /"first" is not the number of a database/,
    ],
    ['something after the ?', { hosts: ['redis://localhost?timeout=1'] }, /"timeout" is not understood/],
    ['a socket that is a host', { hosts: ['unix://tmp/redis.sock'] }, /third slash/],
    ['a version of the protocol', { protocol: 4 }, /protocol is 4; it takes 2 or 3/],
  ])('%s', (_, options, message) => {
    for (const layer of ['redis', 'pubsub'])
      expect(() => createLayer({ layer, ...options } as LayerConfig)).toThrow(
        expect.objectContaining({ code: 'GAPTRACE_LAYER_OPTION', message: expect.stringMatching(message) }),
      );
  });

  it('a way to receive, or a layer, that there is not', () => {
    expect(() => createLayer({ layer: 'redis', receive: 'hopefully' } as unknown as LayerConfig)).toThrow(
      /receive is "hopefully"/,
    );
    expect(() => createLayer({ layer: 'rabbit' } as unknown as LayerConfig)).toThrow(/layer is "rabbit"/);
  });

  it('a password is not repeated', () => {
    expect(() => createLayer({ layer: 'redis', hosts: ['redis://me:s3cret@host/x'] })).toThrow(
      /^(?!.*s3cret).*…@host/,
    );
  });
});

describe('hosts', () => {
  it.each<[string, string, object]>([
    ['redis://localhost', 'localhost:6379', { host: 'localhost', port: 6379 }],
    ['redis://10.0.0.1:7000/3', '10.0.0.1:7000', { host: '10.0.0.1', port: 7000, db: 3 }],
    ['redis://me:p%40ss@h:1?db=4', 'h:1', { host: 'h', port: 1, username: 'me', password: 'p@ss', db: 4 }],
    ['redis://:only@h', 'h:6379', { host: 'h', port: 6379, password: 'only' }],
    ['redis://[::1]:7000', '[::1]:7000', { host: '::1', port: 7000 }],
    ['rediss://h', 'h:6379', { host: 'h', port: 6379, tls: {} }],
    ['unix:///run/redis.sock?db=2', '/run/redis.sock', { path: '/run/redis.sock', db: 2 }],
  ])('%s', (url, label, client) => {
    expect(redisHosts([url])).toEqual([{ label, client: { ...client, protocol: 2 } }]);
  });

  it('is the local Redis where not told', () => {
    expect(redisHosts().map(({ label }) => label)).toEqual(['localhost:6379']);
  });
});
