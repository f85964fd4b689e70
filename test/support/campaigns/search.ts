/** Gives a search for these secrets in every usual spelling; it tells the names of those that stand in the bytes. */
export function searchFor(secrets: Record<string, string>): (bytes: Buffer | string) => string[] {
  const wanted = Object.entries(secrets).map(([name, secret]) => ({ name, texts: spellings(secret) }))
  return bytes => wanted.filter(({ texts }) => texts.some(text => bytes.includes(text))).map(({ name }) => name)
}

/** The usual spellings; base64 from each of its three offsets, as it would stand within something longer. */
function spellings(secret: string): string[] {
  const bytes = Buffer.from(secret)
  const shifted = [0, 1, 2].flatMap(offset => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes])
    const inner = (text: string) => text.slice(Math.ceil((offset * 4) / 3), Math.floor((padded.length * 4) / 3) - 1)
    return [inner(padded.toString('base64').replace(/=+$/, '')), inner(padded.toString('base64url'))]
  })
  const json = JSON.stringify(secret).slice(1, -1)
  const hex = bytes.toString('hex')
  return [
    secret,
    json,
    JSON.stringify(json).slice(1, -1),
    encodeURIComponent(secret),
    hex,
    hex.toUpperCase(),
    ...shifted
  ]
}
