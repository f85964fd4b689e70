/** A log, as far as troubles are told to it. */
type TroubleLog<Level extends string> = Record<Level, (facts: object, message: string) => void>

/** Makes what tells the log of an error, by the name of its event: for a loop, or for work that nobody waits for. */
export function tellTrouble<Level extends 'info' | 'warn' | 'error'>(
  log: TroubleLog<Level>,
  level: Level,
  facts: { event: string } & Record<string, unknown>,
  message: string
): (err: unknown) => void {
  return err => log[level]({ ...facts, err }, message)
}
