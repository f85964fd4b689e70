import t from 'tap'
import { contradicts, isUnmistakable, webhookUrl } from '../../../src/domain/webhooks/vendor-webhook.ts'

t.test('a webhook contradicts what is known when one of them is old', t => {
  const cases: [told: string | null, known: string | null, expected: boolean][] = [
    ['LIVE', 'LIVE', false],
    ['LIVE', 'INVOKED', true],
    ['LIVE', 'IDLE', true],
    ['IDLE', 'LIVE', true],
    ['OFFLINE', 'IDLE', false],
    ['IDLE', 'ERRORED', false],
    ['PAUSED', 'LIVE', true],
    ['LIVE', null, false],
    [null, 'LIVE', false]
  ]
  for (const [status, known, expected] of cases) t.equal(contradicts({ status }, known), expected, `${status} ${known}`)
  t.end()
})

t.test('news of a livestream alone may come again in the same words', t => {
  t.equal(isUnmistakable({ event: 'livestreaming.statusUpdate' }), false)
  for (const event of ['meeting.started', 'meeting.ended'] as const) t.equal(isUnmistakable({ event }), true)
  t.end()
})

t.test('the address of webhooks stands below that of the gateway', t => {
  for (const [base, url] of [
    ['https://video.example', 'https://video.example/webhooks/rtk'],
    ['https://video.example/', 'https://video.example/webhooks/rtk'],
    ['https://video.example/gw//', 'https://video.example/gw/webhooks/rtk']
  ] as const)
    t.equal(webhookUrl(new URL(base), 'rtk'), url)
  t.end()
})
