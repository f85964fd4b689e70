/** The settings of every contender, from its environment. */
export const upstream = new URL(process.env.BENCH_UPSTREAM ?? '')
/** The vendor's credentials, put in place of the caller's, as anybody would who writes this proxy. */
export const authorization = `Basic ${Buffer.from('org:key').toString('base64')}`
/** As many connections as Livegate has. */
export const connections = 64

export function listens(port: number): void {
  console.log(`listens http://127.0.0.1:${port}`)
}
