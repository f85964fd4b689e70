/** A healthy disk needs a few of them. A caller that only reads hardly notices a slow one. */
const brieflyMs = 50

/** Waits for the work, but not for long: longer work goes on behind the answer. Rejects when it fails before. */
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
