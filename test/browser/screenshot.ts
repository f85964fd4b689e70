/** Takes the picture of Swagger UI for the README: `npm run screenshot`. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { findChromium, launch } from '../support/browser/page.ts'
import { execute } from '../support/browser/swagger-ui.ts'

const chromium = findChromium()
if (chromium === null) throw new Error('no Chromium on this machine: `apt-get install chromium`')
const demo = spawn(process.execPath, ['src/cli.ts', 'demo', '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
const browser = await launch(chromium)
try {
  let address = ''
  for await (const line of createInterface(demo.stdout)) {
    address = /^Swagger UI: (\S+)/.exec(line)?.[1] ?? ''
    if (address !== '') break
  }
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } })
  await page.goto(address)
  const start = page.locator('.opblock.is-open')
  await execute(start)
  // From the groups down to the answer.
  await page
    .locator('.opblock-tag')
    .first()
    .evaluate(tag => tag.scrollIntoView())
  await page.screenshot({ path: 'docs/images/swagger-ui.png', timeout: 120_000 })
} finally {
  await browser.close()
  demo.kill()
}
