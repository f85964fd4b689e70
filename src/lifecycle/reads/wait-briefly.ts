/** A healthy disk needs a few of them; who only reads shall hardly notice one that is not. */
const brieflyMs = 50

/** Waits for it, but not for long: what takes longer goes on behind the answer. Rejects when it fails before. */
export async function waitBriefly(work: Promise<unknown>, withinMs = brieflyMs): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const enough = new Promise<void>(resolve => {
    timer = setTimeout(resolve, withinMs)
  })
  try {
    await Promise.race([work, enough])
  } finally {
    clearTimeout(timer)
  }
}
