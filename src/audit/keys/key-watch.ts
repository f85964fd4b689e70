import { Loop } from '../../domain/values/clock.ts'
import { AuditKeyError } from './key-files.ts'

const lookEveryMs = 10_000

export interface KeyWatch {
  /** Whether a key was not found, or another one was, at the last look. */
  missing(): boolean
  close(): void
}

/**
 * Looks whether the audit log's keys are still there: this process has them in memory, and the next one would refuse to start. They are
 * told of when they are lost, and when they are back.
 */
export function watchKeys(
  find: () => Promise<void>,
  log: { info(facts: object, message: string): void; error(facts: object, message: string): void },
  everyMs = lookEveryMs
): KeyWatch {
  let missing = false
  const look = async (): Promise<void> => {
    try {
      // A rotation may have put another one there in the middle of the first look.
      await find().catch(find)
      if (missing) log.info({ event: 'audit_keys_found' }, "the audit log's keys are there again")
      missing = false
    } catch (err) {
      // A store that cannot be read says nothing about the keys.
      if (!(err instanceof AuditKeyError) || missing) return
      missing = true
      log.error(
        { event: 'audit_keys_missing', err },
        "the audit log's keys are not as they were: without them the next start refuses"
      )
    }
  }
  const loop = new Loop({ round: look, everyMs }).start()
  return {
    missing: () => missing,
    close() {
      // A disk that hangs holds up no end.
      void loop.close()
    }
  }
}
