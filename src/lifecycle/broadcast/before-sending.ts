import { Failure, withOutcome } from '../../domain/refusals/failures.ts'

/** Waits for what comes before a mutation is sent: a failure in it says `not_sent`. */
export async function beforeSending<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw error instanceof Failure ? withOutcome(error, 'not_sent') : error
  }
}
