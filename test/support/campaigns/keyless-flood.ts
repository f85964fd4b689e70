/** Strangers, as a process of their own: `URL` is called over 16 connections at once until it ends, and then it says how it was answered. */
import { connect } from 'node:net'

const { hostname, port } = new URL(process.env.URL ?? '')
const calls = JSON.parse(process.env.CALLS ?? '[]') as string[]
const connections = 16
const answers: Record<string, number> = {}
let isOver = false

/** One call after the other, each kind in its turn. */
function flood(first: number): void {
  const socket = connect(Number(port), hostname)
  let next = first
  let head = ''
  /** Bytes of the body that are still to come; null before its length is known. */
  let left: number | null = null
  const send = (): void => {
    head = ''
    left = null
    const [line = '', ...fields] = (calls[next % calls.length] ?? '').split('\n')
    next += 1
    socket.write([`${line} HTTP/1.1`, 'host: x', ...fields, '', ''].join('\r\n'))
  }
  socket.on('connect', send)
  socket.on('close', () => {
    if (!isOver) flood(next)
  })
  socket.on('error', () => {})
  socket.on('data', chunk => {
    if (left === null) {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      const status = head.slice(9, 12)
      answers[status] = (answers[status] ?? 0) + 1
      left = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0) - (head.length - end - 4)
    } else left -= chunk.length
    if (left <= 0) send()
  })
}

for (let i = 0; i < connections; i++) flood(i)
process.stdout.write('floods\n')
process.on('SIGTERM', () => {
  isOver = true
  process.stdout.write(`${JSON.stringify(answers)}\n`, () => process.exit())
})
