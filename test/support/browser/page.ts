import { spawnSync } from 'node:child_process'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { TestContext } from '../test-context.ts'

/** Chromium as Debian installs it, or as CHROMIUM names it; null where there is none. */
export function findChromium(): string | null {
  const found = spawnSync('/bin/sh', ['-c', `command -v "\${CHROMIUM:-chromium}"`], { encoding: 'utf8' }).stdout.trim()
  return found === '' ? null : found
}

/** Starts the browser without what it would do by itself. No name is looked up, and no address of another machine is reached. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    timeout: 120_000,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'
    ]
  })
}

/** A page, and what it has said and asked for. */
export interface Watched {
  page: Page
  /** Errors and warnings on the console, and errors that nobody caught. */
  said: string[]
  /** The addresses of all its calls. */
  asked: string[]
}

/** A page with nothing in its storage, closed at the end of the test. */
export async function openPage(t: TestContext, browser: Browser, address: string): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(60_000)
  const said: string[] = []
  const asked: string[] = []
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) said.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', error => said.push(`error: ${error.message}`))
  page.on('request', request => asked.push(request.url()))
  await page.goto(address)
  await page.waitForSelector('.opblock')
  return { page, said, asked }
}

/** Everything in which a page could leave something: its HTML, the values of its fields, its address, cookies and both storages. */
export async function keptBy(page: Page): Promise<string> {
  // As text, since the types of a browser are not those of this project.
  const storage = await page.evaluate(`(async () => JSON.stringify([
    [...document.querySelectorAll('input, textarea')].map(field => field.value),
    { ...localStorage }, { ...sessionStorage }, document.cookie, await indexedDB.databases()
  ]))()`)
  return [await page.content(), page.url(), storage].join('\n')
}
