import type { JsonOption } from '../process/io.ts'

export interface DoctorOptions extends JsonOption {
  probeMeeting?: string
  upstream?: string
  yes?: boolean
}
