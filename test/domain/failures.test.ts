import t from 'tap'
import * as catalogue from '../../src/domain/refusals/failures.ts'
import { Failure, type FailureClass, UpstreamTooLate, withOutcome } from '../../src/domain/refusals/failures.ts'
import { Conflict, Expired, StoreError, UniqueViolation } from '../../src/store/engine/engine.ts'

const classes = Object.entries(catalogue).filter(
  (entry): entry is [string, FailureClass] => typeof entry[1] === 'function' && 'doc' in entry[1]
)

t.test('the catalogue is not empty, and every failure in it has a slug of its own', async t => {
  t.ok(classes.length > 20)
  const slugs = classes.map(([, { doc }]) => doc.type)
  t.equal(new Set(slugs).size, slugs.length)
  for (const slug of slugs) t.match(slug, /^[a-z]+(_[a-z]+)*$/)
})

t.test('every failure has an error status and one sentence that starts large and has no full stop', async t => {
  for (const [name, { doc }] of classes) {
    t.ok(Number.isInteger(doc.status) && doc.status >= 400 && doc.status <= 599, `${name}: ${doc.status}`)
    t.match(doc.message, /^[A-Z].{5,120}[^.!?\s]$/, name)
  }
})

t.test('every failure can be made bare and says what its documentation says', async t => {
  for (const [, Class] of classes) {
    const failure = new Class()
    const { status, type, message } = Class.doc
    t.ok(failure instanceof Failure && failure instanceof Error && failure instanceof Class)
    t.strictSame({ status: failure.status, type: failure.type, message: failure.message }, { status, type, message })
  }
})

t.test('an inner error goes into the cause of a failure and not into its sentence', async t => {
  const cause = new Error('connect ECONNREFUSED 10.0.0.7:443')
  const failure = new UpstreamTooLate({ cause })
  t.equal(failure.cause, cause)
  t.equal(failure.message, UpstreamTooLate.doc.message)
  t.equal(new UpstreamTooLate({ message: 'The provider said nothing' }).message, 'The provider said nothing')
})

t.test('saying whether it happened keeps everything else of a failure', async t => {
  const options = {
    cause: new Error('inside'),
    details: [{ field: 'body.name', message: 'is too long' }],
    upstreamStatus: 504,
    upstreamReason: 'try again',
    retryAfterSeconds: 7,
    message: 'The provider said nothing'
  }
  for (const outcome of ['not_sent', 'failed', 'unknown'] as const) {
    const said = withOutcome(new UpstreamTooLate(options), outcome)
    const { cause, details, upstreamStatus, upstreamReason, retryAfterSeconds, message, status, type } = said
    t.strictSame({ cause, details, upstreamStatus, upstreamReason, retryAfterSeconds, message }, options)
    t.strictSame({ status, type, outcome: said.outcome }, { status: 504, type: 'upstream_too_late', outcome })
    t.ok(said instanceof Failure)
  }
})

t.test('a failure of the store tells its caller nothing but that the store cannot be read', async t => {
  const reason = 'cannot open /srv/livegate/livegate.db'
  for (const Class of [StoreError, UniqueViolation, Conflict, Expired]) {
    const failure = new Class(reason)
    t.match(failure, { status: 503, type: 'store_unavailable', message: 'The store cannot be read', reason })
    t.match(failure.cause, { message: reason })
    t.notMatch(JSON.stringify({ message: failure.message, type: failure.type }), reason)
  }
  t.equal(withOutcome(new StoreError(reason), 'not_sent').status, 503)
})
