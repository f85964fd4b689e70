import { Type } from 'typebox'
import { UpstreamMalformed } from '../domain/failures.ts'
import type { LivestreamWithKey } from '../domain/livestream.ts'
import { reader, toLivestream, VendorLivestream } from './contract.ts'

const switchedAnswer = reader(
  Type.Object({
    success: Type.Optional(Type.Literal(true)),
    data: Type.Optional(VendorLivestream),
    LivestreamBase: Type.Optional(VendorLivestream)
  })
)

/** A livestream in either place of contract section 4.4: `data`, or `LivestreamBase` beside `success`. @throws UpstreamMalformed */
export function readSwitched(body: unknown): LivestreamWithKey {
  const { data, LivestreamBase: base } = switchedAnswer(body)
  const livestream = data ?? base
  if (livestream === undefined) throw new UpstreamMalformed({ cause: new Error('no livestream in the answer') })
  return toLivestream(livestream)
}
