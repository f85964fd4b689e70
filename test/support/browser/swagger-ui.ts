import type { Locator, Page } from 'playwright-core'

/** Types a key into the dialog, as a person does. */
export async function authorize(page: Page, key: string): Promise<void> {
  await page.click('button.authorize')
  const bearer = page.locator('.modal-ux .auth-container', { hasText: 'bearer (http' })
  await bearer.locator('input').fill(key)
  await bearer.locator('button.authorize').click()
  await page.click('.modal-ux .btn-done')
}

/** The box of an operation, opened. */
export async function open(page: Page, group: string, operation: string): Promise<Locator> {
  const box = page.locator(`#operations-${group}-${operation}`)
  if ((await box.locator('.opblock-body').count()) === 0) await box.locator('.opblock-summary').click()
  await box.locator('button.execute').waitFor()
  return box
}

/** Presses Execute. Gives status and text of the answer as the page shows them. */
export async function execute(box: Locator): Promise<{ status: string; text: string }> {
  await box.locator('button.execute').click()
  const row = box.locator('.live-responses-table tbody tr.response').first()
  await row.waitFor()
  const status = await row.locator('.response-col_status').innerText()
  return { status: status.trim().slice(0, 3), text: await row.innerText() }
}
