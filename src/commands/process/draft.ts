import { draftOf, removeDraft, sweepDrafts } from '../../store/engine/copy.ts'
import { beforeLeaving } from './shutdown.ts'

/**
 * Does its work with the name of a draft of a file. Whatever comes of it, also when a signal ends this process, the draft is gone
 * afterwards. A process that was killed leaves its own: those are removed first that were not written for so long.
 */
export async function withDraft<T>(file: string, silentForMs: number, work: (draft: string) => Promise<T>): Promise<T> {
  await sweepDrafts(file, silentForMs)
  const draft = draftOf(file)
  const forget = beforeLeaving(async () => removeDraft(draft))
  try {
    return await work(draft)
  } finally {
    removeDraft(draft)
    forget()
  }
}
