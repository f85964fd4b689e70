import t, { type Test } from 'tap'
import { findChromium, keptBy, launch, openPage } from '../support/browser/page.ts'
import { authorize, execute, open } from '../support/browser/swagger-ui.ts'
import { startProcess } from '../support/cli.ts'
import { gateway } from '../support/gateway.ts'

const chromium = findChromium()
if (chromium === null) {
  t.plan(0, 'no Chromium on this machine: `apt-get install chromium`, or name one in CHROMIUM')
  process.exit()
}
const browser = await launch(chromium)
t.teardown(() => browser.close())

const document = (await import('../../openapi/livegate.json', { with: { type: 'json' } })).default

/** Addresses that do not lie at this origin. */
const elsewhere = (asked: string[], origin: string): string[] =>
  asked.filter(address => !address.startsWith(`${origin}/`) && !address.startsWith('data:'))

async function world(t: Test) {
  const { url, meeting, withKey } = await gateway(t, {
    config: { addressLimit: { calls: 1_000, seconds: 60, burst: 1_000 } }
  })
  const { key } = await withKey('acme', ['livestreams:read', 'livestreams:start', 'livestreams:stop'])
  return { url, meeting, key }
}

t.test('a person authorizes, starts, looks and stops: nothing leaves the host, and the page keeps no key', async t => {
  const { url, meeting, key } = await world(t)
  const { page, said, asked } = await openPage(t, browser, `${url}/docs`)
  const policy = (await page.request.get(`${url}/docs`)).headers()['content-security-policy']
  t.match(policy, /default-src 'none'.*script-src 'self'; style-src 'self'$/)

  await authorize(page, key)
  for (const [operation, status, text] of [
    ['startLivestream', '201', 'INVOKED'],
    ['getActiveLivestream', '200', meeting],
    ['stopLivestream', '200', 'success']
  ] as const) {
    const box = await open(page, 'broadcast', operation)
    await box.locator('tr[data-param-name="meeting_id"] input').fill(meeting)
    const answer = await execute(box)
    t.equal(answer.status, status, `${operation}: ${answer.text}`)
    t.match(answer.text, text, operation)
    t.match(await box.locator('.curl-command').innerText(), "'Authorization: Bearer <key>'")
    t.notMatch(await keptBy(page), key.slice(4, 30), `the key stays in memory after ${operation}`)
  }
  t.strictSame(said, [], 'nothing is said on the console')
  t.ok(asked.some(address => address.endsWith('/active-livestream/stop')))
  t.strictSame(elsewhere(asked, url), [])
  t.notMatch(asked.join('\n'), 'lgk_')
})

t.test('a wrong key shows the error with its name and sentence', async t => {
  const { url, meeting } = await world(t)
  const { page, said } = await openPage(t, browser, `${url}/docs`)
  await authorize(page, 'lgk_wrong')
  const box = await open(page, 'broadcast', 'startLivestream')
  await box.locator('tr[data-param-name="meeting_id"] input').fill(meeting)
  const answer = await execute(box)
  t.equal(answer.status, '401')
  t.match(answer.text, /"type": "unauthorized"/)
  t.equal(said.length, 1, 'what Chromium itself says of a refused call')
  t.match(said[0], 'status of 401')
})

t.test('operations are grouped by what people do, and each shows its scope and every error', async t => {
  const { url } = await world(t)
  const { page } = await openPage(t, browser, `${url}/docs`)
  t.equal(await page.locator('.topbar, .download-url-input').count(), 0, 'no bar that loads documents of others')
  const groups = await page.locator('.opblock-tag').evaluateAll(all => all.map(one => one.getAttribute('data-tag')))
  t.strictSame(
    groups,
    document.tags.map(({ name }) => name),
    'in the order of the document, none beside it'
  )
  const operations = await page.locator('.opblock').evaluateAll(all => all.map(one => one.id))
  t.strictSame(operations.slice(0, 3), [
    'operations-broadcast-startLivestream',
    'operations-broadcast-getActiveLivestream',
    'operations-broadcast-stopLivestream'
  ])
  const start = document.paths['/v2/meetings/{meeting_id}/livestreams'].post
  const box = await open(page, 'broadcast', 'startLivestream')
  t.match(await box.locator('.opblock-description').innerText(), 'Needs the scope livestreams:start')
  for (const [status, { description }] of Object.entries(start.responses)) {
    const row = box.locator(`.responses-table tr.response[data-code="${status}"]`)
    t.match(
      await row.locator('.response-col_description').first().innerText(),
      description.replaceAll(/[`\\]/g, ''),
      status
    )
  }
})

t.test('in the demo the first start is one click', async t => {
  const demo = startProcess(t, ['demo', '--port', '0', '--json'])
  const [, url = ''] = await demo.line(/"url": ?"([^"]+)"/)
  const { page, said, asked } = await openPage(t, browser, `${url}/docs`)
  await page.locator('button.execute').waitFor()
  t.equal(await page.locator('.opblock.is-open').count(), 1, 'the start alone is open')
  const answer = await execute(page.locator('.opblock.is-open'))
  t.equal(answer.status, '201', answer.text)
  for (const operation of ['getActiveLivestream', 'stopLivestream'])
    t.equal((await execute(await open(page, 'broadcast', operation))).status, '200', operation)
  t.notMatch(await keptBy(page), 'lgk_', 'the page keeps no key')
  t.strictSame(said, [])
  t.strictSame(elsewhere(asked, url), [])
  demo.signal('SIGTERM')
  t.equal((await demo.ended).code, 0)
})
