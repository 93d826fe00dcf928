// The import rules of the rooms (docs/architecture.md): who may see whom. Checked by `make test`.
const others = (...rooms) => `^(${rooms.join('|')})/`;
module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'proxy-alone',
      severity: 'error',
      from: { path: '^proxy/' },
      to: { path: others('server', 'clients', 'analysis', 'demo', 'bench', 'generate', 'accuracy') },
    },
    {
      name: 'server-alone',
      severity: 'error',
      from: { path: '^server/' },
      to: { path: others('proxy', 'clients', 'analysis', 'demo', 'bench', 'generate', 'accuracy') },
    },
    {
      name: 'clients-alone',
      severity: 'error',
      from: { path: '^clients/' },
      to: { path: others('proxy', 'server', 'analysis', 'demo', 'bench', 'generate', 'accuracy') },
    },
    {
      name: 'generate-judges-nothing',
      severity: 'error',
      from: { path: '^generate/', pathNot: '\\.test\\.ts$' },
      to: {
        path: others('server', 'clients', 'analysis', 'demo', 'bench', 'accuracy', 'e2e'),
        pathNot: '^(server/layers/(commands|scripts)\\.ts$|clients/random\\.ts$)',
      },
    },
    {
      name: 'accuracy-on-top',
      severity: 'error',
      from: { path: '^(demo|bench)/' },
      to: { path: others('accuracy') },
    },
    {
      name: 'checker-alone',
      severity: 'error',
      from: { path: '^accuracy/checker\\.ts$' },
      to: { pathNot: '^accuracy/truth\\.ts$' },
    },
    {
      name: 'e2e-for-tests-only',
      severity: 'error',
      from: { path: '^(proxy|server|clients)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^e2e/' },
    },
    {
      name: 'analysis-sees-formats-only',
      severity: 'error',
      from: { path: '^analysis/', pathNot: '\\.test\\.ts$' },
      to: {
        path: others('proxy', 'server', 'clients', 'demo', 'bench', 'generate', 'accuracy', 'e2e'),
        pathNot: '^(proxy/trace/|clients/gap-report\\.ts$|server/layers/message\\.ts$)',
      },
    },
    {
      name: 'terminal-at-the-bottom',
      severity: 'error',
      from: { path: '^terminal/' },
      to: {
        path: others(
          'proxy',
          'server',
          'clients',
          'analysis',
          'demo',
          'bench',
          'generate',
          'accuracy',
          'e2e',
        ),
      },
    },
    {
      name: 'wire-sans-io',
      severity: 'error',
      from: { path: '^proxy/wire/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?buffer$' },
    },
    {
      name: 'net-in-one-place',
      severity: 'error',
      from: {
        path: '^proxy/',
        pathNot: '(\\.test\\.ts$|^proxy/(listener|tunnel|unstreamed|upstream)\\.ts$)',
      },
      to: { path: '^(node:)?(net|tls)$' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: { orphan: true, pathNot: '(\\.test\\.ts$|\\.d\\.ts$|^(index|cli|analyze-gap)\\.ts$)' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.dist-new|coverage)/|^\\.dependency-cruiser' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
