import t from 'tap'
import { isPreset, isScope, presets, scopes } from '../../src/domain/scope.ts'

t.test('a viewer reads, an operator also starts and stops, an owner may do everything', async t => {
  t.strictSame(presets.viewer, ['livestreams:read', 'meetings:read'])
  t.strictSame([...presets.operator].sort(), [
    'livestreams:read',
    'livestreams:start',
    'livestreams:stop',
    'meetings:read',
    'participants:manage',
    'participants:read'
  ])
  t.strictSame(presets.owner, [...scopes])
})

t.test('neither viewer nor operator sees stream keys, the audit log or can mint tokens', async t => {
  for (const preset of ['viewer', 'operator'] as const) {
    const granted: readonly string[] = presets[preset]
    for (const scope of ['stream-key:read', 'audit:read', 'tokens:mint', 'meetings:write', 'stage:manage']) {
      t.notOk(granted.includes(scope), `${preset} has no ${scope}`)
    }
  }
})

t.test('every scope of a preset exists, and no scope is listed twice', async t => {
  t.equal(new Set(scopes).size, scopes.length)
  for (const granted of Object.values(presets)) {
    t.ok(granted.every(isScope))
    t.equal(new Set(granted).size, granted.length)
  }
})

t.test('only the names of scopes and presets are taken for such', async t => {
  t.ok(isScope('livestreams:start'))
  t.ok(isPreset('owner'))
  for (const name of ['', 'livestreams', 'livestreams:', 'Livestreams:start', ' livestreams:start', '*', 'toString']) {
    t.notOk(isScope(name), name)
  }
  for (const name of ['', 'Owner', 'admin', 'toString', '__proto__', 'constructor', 'hasOwnProperty']) {
    t.notOk(isPreset(name), name)
  }
})
