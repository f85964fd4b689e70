import type { Diagnosis } from '../vendor.ts'

export const diagnosis: Diagnosis = {
  async whyRefused({ status, complaint }) {
    if (complaint !== 'credentials' && status !== 401) return null
    const settings = 'org_id or api_key (DYTE_ORG_ID, DYTE_API_KEY)'
    return `refused with ${status}; it does not say whether organisation or key is wrong: correct ${settings}`
  },
  contracts: ['L1', 'L2'],
  questions: []
}
