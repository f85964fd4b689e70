import { Type } from 'typebox'

export const longestWaitSeconds = 60
export const usualWaitSeconds = 30

/** The query of calls that may wait until a run is on air. */
export const WaitQuery = Type.Object(
  {
    wait: Type.Optional(
      Type.Enum(['live'], { description: 'Answer when viewers can play, or when `timeout` is over' })
    ),
    timeout: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: longestWaitSeconds,
        description: `Seconds from the arrival of the call; ${usualWaitSeconds} unless given. Needs \`wait\``
      })
    )
  },
  { additionalProperties: false }
)

export const waitDescription =
  'With `wait=live` the answer comes when the run is LIVE and its playback address known, when it is over, or with the present state at the time-out.'
