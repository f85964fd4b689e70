import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

const file = 'docs/benchmarks.md'
const packages = ['fastify', 'undici', '@fastify/reply-from', '@fastify/http-proxy', 'express', 'http-proxy-middleware']

/** Puts a part of a run into its section of the document; all others stay as they are. */
export function writeSection(name: string, text: string): void {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const document = readFileSync(file, 'utf8')
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from < 0 || to < 0) throw new Error(`${file} has no section ${name}`)
  writeFileSync(file, `${document.slice(0, from)}${begin}\n${text.trim()}\n${document.slice(to)}`)
}

/** When, where and with what: the figures mean nothing without. */
export function circumstances(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim()
  const day = new Date().toISOString().slice(0, 10)
  const versions = packages.map(name => `${name} ${versionOf(name)}`).join(', ')
  return `Measured on ${day}, commit ${commit}: ${cpus().length} cores (${model}, shared), ${memory}, Linux ${release().split('-')[0]}, Node ${process.versions.node}; ${versions}.`
}

function versionOf(name: string): string {
  return (JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { version: string }).version
}
