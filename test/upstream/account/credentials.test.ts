import t from 'tap'
import { Secret } from '../../../src/domain/values/secret.ts'
import { Credentials } from '../../../src/upstream/account/credentials.ts'
import { manualClock } from '../../support/clock.ts'

const [one, two, three] = ['one', 'two', 'three'].map(name => new Secret(name)) as [Secret, Secret, Secret]

/** A vendor that takes these, and whom it was asked about. */
function vendor(...taken: Secret[]) {
  const asked: string[] = []
  const verify = async (credential: Secret): Promise<boolean> => {
    asked.push(credential.reveal())
    return taken.some(known => known.reveal() === credential.reveal())
  }
  return { asked, verify }
}

function make(all: Secret[]) {
  const clock = manualClock()
  const switched: number[] = []
  const credentials = new Credentials({ all, clock, onSwitch: position => switched.push(position) })
  return { credentials, clock, switched }
}

t.test('the first is used until the vendor refuses it and takes the other', async t => {
  const { credentials, switched } = make([one, two])
  const { verify, asked } = vendor(two)
  t.equal(credentials.current, one)
  const calls = [1, 2, 3].map(() => credentials.refused(one, verify))
  t.strictSame(await Promise.all(calls), [true, true, true])
  t.strictSame(asked, ['two'], 'those who meet the refusal together ask once')
  t.equal(credentials.current, two)
  t.strictSame(switched, [2])
  t.equal(await credentials.refused(one, verify), true, 'a late refusal of the first says nothing of the second')
  t.strictSame([asked.length, switched.length], [1, 1])
})

t.test('the credential in use stays when both are refused, and the other is tried again after 5 s', async t => {
  const { credentials, clock, switched } = make([one, two])
  const { verify, asked } = vendor()
  t.equal(await credentials.refused(one, verify), false)
  t.equal(await credentials.refused(one, verify), false)
  clock.advance(4_999)
  t.equal(await credentials.refused(one, verify), false)
  t.equal(asked.length, 1)
  clock.advance(1)
  t.equal(await credentials.refused(one, verify), false)
  t.equal(asked.length, 2)
  t.equal(credentials.current, one)
  t.strictSame(switched, [])
})

t.test('the way back is open', async t => {
  const { credentials, switched } = make([one, two])
  await credentials.refused(one, vendor(two).verify)
  t.equal(await credentials.refused(two, vendor(one).verify), true)
  t.equal(credentials.current, one)
  t.strictSame(switched, [2, 1])
})

t.test('a check that fails says nothing, and alone there is no other', async t => {
  const { credentials } = make([one, two])
  const fails = async (): Promise<boolean> => {
    throw new Error('the vendor is away')
  }
  t.equal(await credentials.refused(one, fails), false)
  t.equal(await make([one]).credentials.refused(one, vendor(two).verify), false)
  t.throws(() => make([]), /without a credential/)
})

t.test('others are chosen after the vendor was asked, and used when they are put to use', async t => {
  const { credentials, switched } = make([one])
  const { verify, asked } = vendor(two)
  const use = await credentials.choose([two, one], verify)
  t.equal(credentials.current, one, 'not before')
  use?.()
  t.equal(credentials.current, two)
  t.strictSame([asked, switched], [['two'], [1]])
  t.equal(await credentials.refused(two, vendor(one).verify), true, 'the old one is the other one now')
})

t.test('a credential in use stays in use where those before it are refused, and is not asked about', async t => {
  const { credentials, switched } = make([one])
  const { verify, asked } = vendor(one)
  const use = await credentials.choose([three, new Secret('one')], verify)
  use?.()
  t.equal(credentials.current, one)
  t.strictSame([asked, switched], [['three'], []])
})

t.test('nothing changes when the vendor takes none of the credentials', async t => {
  const { credentials } = make([one])
  t.equal(await credentials.choose([two, three], vendor().verify), null)
  t.equal(credentials.current, one)
  await t.rejects(
    credentials.choose([two], () => Promise.reject(new Error('away'))),
    /away/
  )
})
