import createClient from 'openapi-fetch'
import type { paths } from './livegate.d.ts'

export function connect(baseUrl: string, key: string) {
  return createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${key}` } })
}

export async function startShow(livegate: ReturnType<typeof connect>, meeting_id: string) {
  const path = { params: { path: { meeting_id } } }
  const { data, error } = await livegate.POST('/v2/meetings/{meeting_id}/livestreams', path)
  if (error) throw new Error(error.error.message)
  return data.data
}
