/**
 * Operations and fields that the vendors' documents and SDKs have and Livegate does not: each is refused by name, and here is
 * why. A test holds this against their documents and against the types of the installed SDK.
 */
interface NotOfferedOperations {
  /** `METHOD /path`, with `{}` for an id. */
  operations: string[]
  why: string
}

/** Operations that a tenant may well want for its own meetings: 501 `not_offered_by_upstream`, whichever ids stand in the path. */
export const notOffered: NotOfferedOperations[] = [
  {
    operations: ['GET /analytics/daywise'],
    why: "the provider counts the whole app's sessions and recordings; Livegate knows a tenant's livestreams alone"
  },
  {
    operations: [
      'GET /sessions',
      'GET /sessions/{}',
      'GET /sessions/{}/participants',
      'GET /sessions/{}/participants/{}',
      'GET /sessions/peer-report/{}',
      'GET /sessions/{}/chat',
      'GET /sessions/{}/summary',
      'POST /sessions/{}/summary',
      'GET /sessions/{}/transcript'
    ],
    why: "they tell of people and of what they said, and the provider's list is of the whole app"
  },
  { operations: ['POST /meetings/{}/active-session/poll'], why: 'it is no part of a livestream' },
  {
    operations: [
      'GET /recordings',
      'POST /recordings',
      'GET /recordings/{}',
      'PUT /recordings/{}',
      'GET /recordings/active-recording/{}',
      'POST /recordings/track'
    ],
    why: 'Livegate starts and stops livestreams; a meeting can be told to record when it starts'
  }
]

/** Operations on what belongs to the organisation and to none of its tenants: a 404, as for any path that does not exist. */
export const notThere: NotOfferedOperations[] = [
  { operations: ['GET /apps', 'POST /apps'], why: 'an app is an account of the organisation' },
  {
    operations: ['POST /presets', 'GET /presets/{}', 'PUT /presets/{}', 'PATCH /presets/{}', 'DELETE /presets/{}'],
    why: 'presets hold for all meetings of the app, and so for all tenants'
  },
  {
    operations: [
      'GET /webhooks',
      'POST /webhooks',
      'GET /webhooks/{}',
      'PUT /webhooks/{}',
      'PATCH /webhooks/{}',
      'DELETE /webhooks/{}'
    ],
    why: "a webhook hears of every tenant's meetings"
  }
]

/** Fields of operations that Livegate has: a 400 that names the field. */
export const notHonoured: { operationId: string; field: string; why: string }[] = [
  {
    operationId: 'getMeeting',
    field: 'query.name',
    why: 'nothing says what it does to a meeting that is named by its id'
  },
  ...['getAnalytics', 'getDaywiseAnalytics'].map(operationId => ({
    operationId,
    field: 'query.filters',
    why: "nothing says what may stand in it, and the figures are summed up from the tenant's own sessions"
  })),
  ...[
    ['listLivestreams', 'query.excludeMeetings'],
    ['listLivestreams', 'query.limit'],
    ['listLivestreams', 'query.offset'],
    ['listMeetingLivestreams', 'query.limit'],
    ['listMeetingLivestreams', 'query.offset']
  ].map(([operationId = '', field = '']) => ({
    operationId,
    field,
    why: 'spelt so until July 2023: `exclude_meetings`, `page_no` and `per_page` since'
  }))
]

const patterns = notOffered.flatMap(({ operations }) => operations).map(asPattern)

/** Whether the path, without its query, is that of an operation which the vendors have and Livegate does not. */
export function isNotOffered(method: string, path: string): boolean {
  const asked = `${method} ${path}`
  return patterns.some(pattern => pattern.test(asked))
}

/** The field's name is known, and so is why it is refused. */
export function isNotHonoured(operationId: string | undefined, field: string): boolean {
  return notHonoured.some(one => one.operationId === operationId && one.field === field)
}

function asPattern(operation: string): RegExp {
  return new RegExp(`^${operation.replace(' ', ' /v2').replaceAll('{}', '[^/]+')}$`)
}
