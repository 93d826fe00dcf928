import { expect, it } from 'vitest';
import { audit } from '../audit.js';
import { memberOf, PROCESS, ScriptedTrace } from '../testing/scripted-trace.js';
import { renderAudit } from './audit-text.js';

/** `n` messages of a sender, each refused by a full queue, half a second apart. */
function refused(n: number, sender: string): string {
  const trace = new ScriptedTrace();
  trace.join(1, 1, `${PROCESS}a`, 'chat:group:\u001b[2Jroom');
  for (let i = 0; i < n; i++) trace.groupSend(1000 + i * 500, 1, memberOf(sender, i), { full: 1 });
  return renderAudit(audit(trace));
}

it('makes visible what could steer the terminal', () => {
  const text = refused(1, '\u001b[31mred');
  expect(text).toContain('message 0 of sender \\x1b[31mred');
  expect(text).toContain('chat:group:\\x1b[2Jroom');
  expect(text).not.toContain('\u001b');
});

it('cuts what is long, and says so', () => {
  expect(refused(40, 's')).not.toContain('moments more');
  expect(refused(42, 's')).toContain('… and 2 moments more: --json has them all');
});

it('says of an empty trace that nothing was lost, and that it answers nothing', () => {
  const text = renderAudit(audit(new ScriptedTrace()));
  expect(text).toContain('Nothing was lost.');
  expect(text.match(/This trace cannot answer it/g)).toHaveLength(4);
  expect(text).toMatch(/HINTS\n\n {2}None\.\n$/);
});
